/*
 * kmalloc-test: a kernel module as they were written in 2004. What 1,000 areas of each size take of
 * kmalloc, in pages and in cycles.
 */
#include <stitch/module.h>

#define NR_AREAS 1000

static const int sizes[] = {
	1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000,
	500000,
};
static void *areas[NR_AREAS];

static unsigned long free_pages_now(void)
{
	struct sysinfo info;

	si_meminfo(&info);
	return info.freeram;
}

static int test(int size)
{
	unsigned long before = free_pages_now(), start, end, pages;
	int i, nr;

	rdtscl(start);
	for (nr = 0; nr < NR_AREAS; nr++) {
		areas[nr] = kmalloc(size, GFP_KERNEL);
		if (!areas[nr])
			break;
	}
	rdtscl(end);
	pages = before - free_pages_now();
	printk(KERN_INFO "%8d %8lu %12lu %8lu\n", size, pages, pages * PAGE_SIZE / NR_AREAS,
	       (end - start) / NR_AREAS);
	for (i = 0; i < nr; i++)
		kfree(areas[i]);
	return nr == NR_AREAS ? 0 : -1;
}

static int __init kmalloc_test_init(void)
{
	size_t i;

	printk(KERN_INFO "kmalloc-test: %d areas of each size\n", NR_AREAS);
	printk(KERN_INFO "    size    pages   bytes/area   cycles\n");
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		if (test(sizes[i]))
			return -1;
	return 0;
}

static void __exit kmalloc_test_exit(void)
{
	printk(KERN_INFO "kmalloc-test: unloaded\n");
}

module_init(kmalloc_test_init);
module_exit(kmalloc_test_exit);
MODULE_LICENSE("GPL");
