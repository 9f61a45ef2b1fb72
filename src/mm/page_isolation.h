/*
 * page_isolation.h - free pages are set aside while something is done with their frames.
 *
 * L3. An extent is taken from the buddy, a pageblock of runs, or the free ranges; it is in use for
 * everybody else then, and counted as neither free nor used, until it is put back in whatever
 * state of residency it has meanwhile been given (mm/residency.h). Who isolates holds
 * LOCK_RECLAIM from before it does until all is put back, and says in zone.nr_isolated how much:
 * who finds no memory waits for that (zone_alloc).
 *
 * All functions want LOCK_ZONE. The kernel's mm/page_isolation.c does this with pageblocks.
 */
#ifndef MM_PAGE_ISOLATION_H
#define MM_PAGE_ISOLATION_H

#include "mm/zone.h"

enum extent_kind { EXTENT_BUDDY, EXTENT_RUN, EXTENT_RANGE };

struct extent {
	enum extent_kind kind;
	size_t pfn, nr_pages;
};

/* A free block of the buddy. */
struct extent isolate_block_locked(struct page *page);

/*
 * The next stretch of at least min_pages (>= 1) touched free pages in a block of runs, at or behind
 * its bit *bit, which moves behind the stretch. nr_pages 0: there is none.
 */
struct extent isolate_run_locked(struct pageblock *block, size_t *bit, size_t min_pages);

/* Units of a free range. What is behind them begins a range of its own then. */
struct extent isolate_units_locked(struct pageblock *range, size_t unit, size_t nr_units);

void unisolate_locked(const struct extent *extent);

#endif
