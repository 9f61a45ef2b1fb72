/*
 * zeroed.c - objects that were asked for as zero, and resized with STITCH__GFP_ZERO, have nothing
 * in what they grow by, also while allocations are recorded.
 */
#include "semantics/again.h"

#include "kernel_api.h"

#define KERNEL STITCH_GFP_KERNEL
#define ATOMIC STITCH_GFP_ATOMIC

static void dirty(size_t bytes, stitch_gfp_t flags)
{
	void *objects[3];

	for (int i = 0; i < 3; i++) {
		objects[i] = stitch_kmalloc(bytes, flags);
		memset(objects[i], 0xff, stitch_ksize(objects[i]));
	}
	for (int i = 0; i < 3; i++)
		stitch_kfree(objects[i]);
}

/* Full of ones up to `full`, and zero behind that after it has been resized to `bytes`. */
static unsigned char *resized(unsigned char *object, size_t full, size_t bytes, stitch_gfp_t flags)
{
	memset(object, 0xff, full);
	object = stitch_krealloc(object, bytes, flags | STITCH__GFP_ZERO);
	CHECK(all_bytes_are(object, 0xff, full < bytes ? full : bytes), "%zu kept", bytes);
	if (bytes > full)
		CHECK(all_bytes_are(object + full, 0, bytes - full), "%zu to %zu", full, bytes);
	return object;
}

static void stay_zero(stitch_gfp_t flags, size_t max_bytes)
{
	for (size_t bytes = 3; bytes < max_bytes; bytes = bytes * 5 / 3 + 1) {
		unsigned char *object;

		dirty(bytes, flags);
		object = stitch_kzalloc(bytes, flags);
		object = resized(object, bytes, stitch_ksize(object), flags);
		object = resized(object, bytes, bytes - bytes / 4, flags);
		object = resized(object, bytes - bytes / 4, bytes, flags);
		dirty(bytes * 2, flags);
		object = resized(object, bytes, bytes * 2, flags);
		object = resized(object, bytes * 2, bytes / 2, flags);
		object = resized(object, bytes / 2, bytes, flags);
		stitch_kfree(object);
		dirty(bytes, flags);
		object = stitch_krealloc(NULL, bytes, flags | STITCH__GFP_ZERO);
		stitch_kfree(resized(object, bytes, stitch_ksize(object), flags));
	}
}

int main(int argc, char **argv)
{
	(void)argv;
	if (!on_stitchmalloc())
		return 0;
	stay_zero(KERNEL, (size_t)8 << 20);
	stay_zero(ATOMIC, 10000);
	if (argc > 1)
		return 0;
	run_with_options("leaks=sample:1000,log_path=/dev/null");
	run_with_options("leaks=full,log_path=/dev/null");
	run_with_options("hardened=1");
	return 0;
}
