/* reclaim.c - see reclaim.h. */
#include "mm/reclaim.h"

#include "mm/page_alloc.h"
#include "mm/pagerun.h"
#include "mm/range.h"
#include "mm/residency.h"
#include "mm/section.h"
#include "os/os.h"

/* One vectored call takes up to 512 ranges; the batch lives on the stack of whoever trims. */
#define BATCH_EXTENTS 64u

/* Free pages that are isolated: in use for everybody else. */
struct extent {
	enum { EXTENT_BUDDY, EXTENT_RUN, EXTENT_RANGE } kind;
	size_t pfn, nr_pages;
};

struct reclaim {
	size_t cursor; /* pageblocks below this pfn have been searched */
	unsigned int nr;
	struct extent extents[BATCH_EXTENTS];
};

static void add_extent(struct reclaim *rc, int kind, size_t pfn, size_t nr_pages)
{
	rc->extents[rc->nr++] = (struct extent){ kind, pfn, nr_pages };
}

static bool is_full(const struct reclaim *rc)
{
	return rc->nr == BATCH_EXTENTS;
}

/* A free block's head that starts in the pageblock and has touched pages is taken whole. */
static void search_buddy_block(struct reclaim *rc, size_t pfn)
{
	size_t end = pfn + PAGEBLOCK_PAGES;

	while (pfn < end && !is_full(rc)) {
		struct page *page = pfn_to_page(pfn);
		size_t nr_pages = page->kind == PAGE_BUDDY ? (size_t)1 << page->order : 1;

		if (page->kind == PAGE_BUDDY && residency_count_touched(pfn, nr_pages)) {
			buddy_isolate_locked(page);
			add_extent(rc, EXTENT_BUDDY, pfn, nr_pages);
		}
		pfn += nr_pages;
	}
}

static void search_run_block(struct reclaim *rc, struct pageblock *block)
{
	size_t bit = 0, nr_pages;

	while (!is_full(rc)) {
		size_t pfn = run_isolate_locked(block, bit, &nr_pages);

		if (!nr_pages)
			return;
		add_extent(rc, EXTENT_RUN, pfn, nr_pages);
		bit = pfn % PAGEBLOCK_PAGES + nr_pages;
		if (bit == PAGEBLOCK_PAGES)
			return;
	}
}

static void search_range(struct reclaim *rc, struct pageblock *range)
{
	size_t unit = range_unit(range), nr_units = range->nr_units;
	size_t pfn = unit * UNIT_PAGES, nr_pages = nr_units * UNIT_PAGES;
	size_t nr_touched = residency_count_touched(pfn, nr_pages);

	if (!nr_touched)
		return;
	range_claim_locked((enum range_part)range->part, unit, nr_units);
	zone.nr_free_touched -= nr_touched;
	add_extent(rc, EXTENT_RANGE, pfn, nr_pages);
}

/* Isolate the next batch. The cursor stays on a block in which the batch became full. */
static void collect_locked(struct reclaim *rc)
{
	rc->nr = 0;
	for (; rc->cursor < mm_map.nr_pages; rc->cursor += PAGEBLOCK_PAGES) {
		struct pageblock *block;

		if (!pfn_is_open(rc->cursor)) {
			rc->cursor += UNIT_PAGES - PAGEBLOCK_PAGES;
			continue;
		}
		block = pfn_to_pageblock(rc->cursor);
		if (block->kind == PAGEBLOCK_BUDDY)
			search_buddy_block(rc, rc->cursor);
		else if (block->kind == PAGEBLOCK_RUNS)
			search_run_block(rc, block);
		else if (block->kind == PAGEBLOCK_RANGE)
			search_range(rc, block);
		if (is_full(rc))
			return;
	}
}

/* Drop the batch's pages; only what the kernel reports as dropped changes its state. */
static long purge_batch(const struct reclaim *rc)
{
	struct os_range ranges[BATCH_EXTENTS];

	for (unsigned int i = 0; i < rc->nr; i++)
		ranges[i] = (struct os_range){ pfn_to_virt(rc->extents[i].pfn),
					       rc->extents[i].nr_pages * PAGE_SIZE };
	return os_purge_ranges(ranges, rc->nr);
}

static void put_back(const struct extent *extent)
{
	size_t pfn = extent->pfn, nr_pages = extent->nr_pages;

	switch (extent->kind) {
	case EXTENT_BUDDY:
		buddy_unisolate_locked(pfn_to_page(pfn), ilog2(nr_pages));
		break;
	case EXTENT_RUN:
		run_unisolate_locked(pfn, nr_pages);
		break;
	case EXTENT_RANGE:
		zone.nr_free_touched += residency_count_touched(pfn, nr_pages);
		range_free_locked(pfn / UNIT_PAGES, nr_pages / UNIT_PAGES);
		break;
	}
}

static size_t put_back_batch(const struct reclaim *rc, long bytes_dropped)
{
	size_t left = bytes_dropped > 0 ? (size_t)bytes_dropped >> PAGE_SHIFT : 0, dropped = 0;

	zone_lock();
	for (unsigned int i = 0; i < rc->nr; i++) {
		const struct extent *extent = &rc->extents[i];
		size_t nr_pages = min_size(left, extent->nr_pages);

		dropped += residency_count_touched(extent->pfn, nr_pages);
		residency_note_purged(extent->pfn, nr_pages);
		left -= nr_pages;
		put_back(extent);
	}
	zone_unlock();
	return dropped;
}

size_t reclaim_all(void)
{
	struct reclaim rc = { .cursor = 0 };
	size_t dropped = 0;

	while (rc.cursor < mm_map.nr_pages) {
		size_t cursor = rc.cursor, done;

		zone_lock();
		collect_locked(&rc);
		zone_unlock();
		if (!rc.nr)
			break;
		done = put_back_batch(&rc, purge_batch(&rc));
		dropped += done;
		if (!done && rc.cursor == cursor)
			break; /* the kernel refuses this block (locked memory, say) */
	}
	return dropped;
}
