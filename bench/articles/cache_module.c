/*
 * cache-test: a kernel module as they were written in 2004. A cache for each size, so that no
 * object is rounded up to a power of two: 13 of 308 bytes lie in a page, where kmalloc's powers
 * had room for 8. The caches are shown as /proc/slabinfo shows them.
 */
#include <stitch/module.h>

#define NR_OBJECTS 1000

static const int sizes[] = { 20, 50, 100, 200, 308, 500, 1000, 2000, 5000 };
static kmem_cache_t *caches[ARRAY_SIZE(sizes)];
static void *objects[ARRAY_SIZE(sizes)][NR_OBJECTS];
static char names[ARRAY_SIZE(sizes)][20];
static unsigned long nr_constructed;

static void construct(void *object, kmem_cache_t *cache, unsigned long flags)
{
	(void)cache;
	if (flags & SLAB_CTOR_CONSTRUCTOR) {
		memset(object, 0, 8);
		nr_constructed++;
	}
}

static int fill(size_t n)
{
	int i;

	snprintf(names[n], sizeof(names[n]), "test-%d", sizes[n]);
	caches[n] = kmem_cache_create(names[n], sizes[n], 0, 0, n < 8 ? construct : NULL, NULL);
	if (!caches[n])
		return -1;
	for (i = 0; i < NR_OBJECTS; i++) {
		objects[n][i] = kmem_cache_alloc(caches[n], SLAB_KERNEL);
		if (!objects[n][i])
			return -1;
	}
	return 0;
}

static int __init cache_test_init(void)
{
	size_t n;

	for (n = 0; n < ARRAY_SIZE(sizes); n++)
		if (fill(n))
			return -1;
	fflush(stdout);
	return stitch_report(1, "slabinfo");
}

static void __exit cache_test_exit(void)
{
	size_t n;
	int i;

	for (n = 0; n < ARRAY_SIZE(sizes); n++) {
		for (i = 0; i < NR_OBJECTS; i++)
			kmem_cache_free(caches[n], objects[n][i]);
		kmem_cache_destroy(caches[n]);
	}
	printk(KERN_INFO "cache-test: %lu objects were constructed\n", nr_constructed);
}

module_init(cache_test_init);
module_exit(cache_test_exit);
MODULE_LICENSE("GPL");
