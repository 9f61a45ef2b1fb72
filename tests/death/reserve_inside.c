/* A pointer into an object of the reserve, of several pages. */
#include "death/death.h"
#include "kernel_api.h"

int main(void)
{
	void *object;

	if (stitch_reserve_fill(0))
		return 1;
	object = launder(stitch_kmalloc(20000, STITCH_GFP_ATOMIC));
	stitch_kfree((char *)object + 8192);
	return 0;
}
