/*
 * record_of_atomic.c - leaks=full: an object of who may not wait has no record, also where the one
 * before it in its place had one: its size is its own, and realloc keeps all of it.
 */
#include "kernel_api.h"
#include "semantics/again.h"

#define ATOMIC STITCH_GFP_ATOMIC
#define BYTES 6000

static void work(void)
{
	struct stitch_kmem_cache *cache = stitch_kmem_cache_create("large", BYTES, 0, 0, NULL);

	for (int i = 0; i < 4; i++) {
		unsigned long pages = stitch_get_free_pages(ATOMIC, 0);
		unsigned char *object;

		CHECK(pages, "pages");
		stitch_free_pages(pages, 0);
		object = stitch_kmem_cache_alloc(cache, ATOMIC);
		CHECK(object, "object");
		CHECK(stitch_ksize(object) >= BYTES, "%zu bytes", stitch_ksize(object));
		memset(object, 7, BYTES);
		object = realloc(object, (size_t)2 * BYTES);
		CHECK(all_bytes_are(object, 7, BYTES), "contents");
		free(object);
	}
}

int main(int argc, char **argv)
{
	(void)argv;
	if (!on_stitchmalloc())
		return 0;
	stitch_kfree(stitch_kmalloc(8, STITCH_GFP_KERNEL)); /* fills the reserve */
	work();
	if (argc == 1)
		run_with_options("leaks=full,log_path=/dev/null");
	return 0;
}
