/* It is the device's, and there is something in front of it. */
#include "semantics/check.h"

#include "kernel_api.h"

int main(void)
{
	static struct stitch_device device;

	free(stitch_devm_kmalloc(&device, 100, STITCH_GFP_KERNEL));
	return 0;
}
