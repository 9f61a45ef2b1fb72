/* entries_cma.h - see entries.h: include/stitch/cma.h. */
#ifndef ENTRIES_CMA_H
#define ENTRIES_CMA_H

#include "stitch/cma.h"

static inline int entry_isolate(struct stitch_page *page, int mode)
{
	(void)page;
	return mode;
}

static inline int entry_migrate(struct stitch_page *to, struct stitch_page *from, int mode)
{
	(void)to;
	(void)from;
	return !mode;
}

static inline void entry_putback(struct stitch_page *page)
{
	(void)page;
}

/* One for all: there are 16 in a process. */
static inline struct stitch_cma *entry_area(void)
{
	static struct stitch_cma *area;

	if (!area)
		area = stitch_cma_declare("entries", 1 << 20);
	return area;
}

static inline bool entry_gives_range(void)
{
	struct stitch_page *pages = stitch_cma_alloc(entry_area(), 16, 4, 0);

	return pages && !((unsigned long)stitch_page_address(pages) % (16 * STITCH_PAGE_SIZE)) &&
	       stitch_cma_release(entry_area(), pages, 16);
}

static inline bool entry_lends(void)
{
	static const struct stitch_movable_operations operations = { entry_isolate, entry_migrate,
								     entry_putback };
	struct stitch_page *page = stitch_alloc_movable_page(&operations, STITCH_GFP_KERNEL);

	if (!page)
		return false;
	*(char *)stitch_page_address(page) = 1;
	stitch_free_movable_page(page);
	return true;
}

static inline bool entry_call_cma(const char *name)
{
	SAYS(stitch_cma_declare, entry_area() != NULL)
	SAYS(stitch_cma_alloc, entry_gives_range())
	SAYS(stitch_cma_release, !stitch_cma_release(entry_area(), NULL, 1))
	SAYS(stitch_cma_get_base, stitch_cma_get_base(entry_area()) != NULL)
	SAYS(stitch_cma_get_size, stitch_cma_get_size(entry_area()) == 1 << 20)
	SAYS(stitch_cma_get_name, !strcmp(stitch_cma_get_name(entry_area()), "entries"))
	SAYS(stitch_alloc_movable_page, entry_lends())
	SAYS(stitch_free_movable_page, entry_lends())
	return false;
}

#endif
