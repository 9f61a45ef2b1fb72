/* A radix tree with tags: pages of a file, by number; dirty ones are written back in order. */
#include <stdio.h>

#include <stitch/mm.h>
#include <stitch/radix_tree.h>

enum { DIRTY };

/* A page for `number`; NULL: no memory. */
static char *page_add(struct stitch_radix_tree_root *pages, unsigned long number)
{
	char *page = (char *)stitch_get_zeroed_page(STITCH_GFP_KERNEL);

	if (page && stitch_radix_tree_insert(pages, number, page)) {
		stitch_free_pages((unsigned long)page, 0);
		return NULL;
	}
	return page;
}

static unsigned int write_back(struct stitch_radix_tree_root *pages)
{
	unsigned long numbers[16], next = 0;
	unsigned int nr_written = 0, nr;
	void **slots[16];

	while ((nr = stitch_radix_tree_gang_lookup_slot(pages, slots, numbers, next, 16, DIRTY))) {
		for (unsigned int i = 0; i < nr; i++, nr_written++) {
			stitch_radix_tree_tag_clear(pages, numbers[i], DIRTY);
			next = numbers[i] + 1; /* here the page, *slots[i], would be written */
		}
	}
	return nr_written;
}

int main(void)
{
	STITCH_RADIX_TREE(pages, STITCH_GFP_KERNEL);
	struct stitch_radix_tree_iter iter;
	unsigned int nr_written, nr = 0;
	void **slot;

	for (unsigned long i = 0; i < 3000; i++) { /* the last thousand far apart: a sparse file */
		unsigned long number = i < 2000 ? i : i << 20;

		if (!page_add(&pages, number))
			return 1;
		if (i % 3 == 0)
			stitch_radix_tree_tag_set(&pages, number, DIRTY);
	}
	nr_written = write_back(&pages);
	stitch_radix_tree_for_each_slot(slot, &pages, &iter, 0) {
		stitch_free_pages((unsigned long)*slot, 0);
		stitch_radix_tree_iter_delete(&pages, &iter, slot);
		nr++;
	}
	printf("%u pages written, %u freed\n", nr_written, nr);
	return nr_written == 1000 && nr == 3000 && stitch_radix_tree_empty(&pages) ? 0 : 2;
}
