/* Pages that the device has given back. */
#include "semantics/check.h"

#include "kernel_api.h"

int main(void)
{
	static struct stitch_device device;
	unsigned long pages = stitch_devm_get_free_pages(&device, STITCH_GFP_KERNEL, 2);

	stitch_devm_free_pages(&device, pages);
	stitch_devm_free_pages(&device, pages);
	return 0;
}
