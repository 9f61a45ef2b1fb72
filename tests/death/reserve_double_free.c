/* An object of the reserve twice, by the two names that free has. */
#include "death/death.h"
#include "kernel_api.h"

int main(void)
{
	void *object;

	if (stitch_reserve_fill(0))
		return 1;
	object = launder(stitch_kmalloc(100, STITCH_GFP_ATOMIC));
	stitch_kfree(object);
	free(object);
	return 0;
}
