/* An object of another device. */
#include "semantics/check.h"

#include "kernel_api.h"

int main(void)
{
	struct stitch_device camera, radio;
	void *object;

	stitch_device_init(&camera, "camera");
	stitch_device_init(&radio, "radio");
	object = stitch_devm_kmalloc(&camera, 100, STITCH_GFP_KERNEL);
	stitch_devm_kfree(&radio, object);
	return 0;
}
