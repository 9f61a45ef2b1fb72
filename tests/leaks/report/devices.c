/*
 * devices.c live|lost|abandoned: what a device owns, by include/stitch/devm.h: of one that is
 * there until the end; of one whose memory was lost; of one in a stack frame that is gone.
 */
#include <stdlib.h>
#include <string.h>

#include "../corpus/corpus.h"
#include "stitch/devm.h"

#pragma weak stitch_device_init
#pragma weak stitch_devm_kmalloc
#pragma weak stitch_devm_kstrdup
#pragma weak stitch_devm_krealloc
#pragma weak stitch_devm_get_free_pages
#pragma weak stitch_devm_add_named_action
#pragma weak stitch_devres_open_group
#pragma weak stitch_devres_close_group

NOINLINE static void own_memory(struct stitch_device *device)
{
	void *object = stitch_devm_kmalloc(device, 1000, STITCH_GFP_KERNEL);

	use(stitch_devm_kstrdup(device, "a text", STITCH_GFP_KERNEL));
	use(stitch_devm_krealloc(device, object, 3000, STITCH_GFP_KERNEL));
}

NOINLINE static void own_pages(struct stitch_device *device)
{
	stitch_devres_open_group(device, device, STITCH_GFP_KERNEL);
	stitch_devm_get_free_pages(device, STITCH_GFP_KERNEL, 2);
	stitch_devres_close_group(device, device);
}

/* The device is all that knows of the block. */
NOINLINE static void own_action(struct stitch_device *device)
{
	stitch_devm_add_action(device, free, malloc(200));
}

NOINLINE static void own_all(struct stitch_device *device)
{
	stitch_device_init(device, "device");
	own_memory(device);
	own_pages(device);
	own_action(device);
}

NOINLINE static void lose_device(void)
{
	own_all(malloc(sizeof(struct stitch_device)));
}

NOINLINE static void abandon_device(void)
{
	struct stitch_device device;

	own_all(&device);
	use(&device);
}

int main(int argc, char **argv)
{
	static struct stitch_device live;
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "live"))
		own_all(&live);
	else if (!strcmp(what, "lost"))
		lose_device();
	else if (!strcmp(what, "abandoned"))
		abandon_device();
	else
		return 1;
	scrub_stack();
	return 0;
}
