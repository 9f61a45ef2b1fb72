/* reclaim.c - see reclaim.h. */
#include "mm/reclaim.h"

#include "mm/page_isolation.h"
#include "mm/range.h"
#include "mm/residency.h"
#include "mm/section.h"
#include "os/os.h"

/* One vectored call takes up to 512 ranges; the batch lives on the stack of whoever trims. */
#define BATCH_EXTENTS 64u

/* So far ahead of the clock a time may be. */
#define FUTURE_TICKS 16u

/* A batch of isolated extents. */
struct reclaim {
	size_t cursor; /* struct reclaim_walk's */
	size_t nr_done;
	size_t end;		    /* of the walk */
	struct reclaim_limit limit; /* nr_pages: touched pages that may still be isolated */
	bool aged;		    /* min_age_ms counts */
	unsigned int nr;
	struct extent extents[BATCH_EXTENTS];
	/* Pages of each, from the first on, that the kernel reported as dropped. */
	size_t nr_dropped[BATCH_EXTENTS];
};

static void add_extent(struct reclaim *rc, struct extent extent)
{
	rc->nr_dropped[rc->nr] = 0;
	rc->extents[rc->nr++] = extent;
}

static bool is_full(const struct reclaim *rc)
{
	return rc->nr == BATCH_EXTENTS || !rc->limit.nr_pages;
}

static void count_down(struct reclaim *rc, size_t nr_touched)
{
	rc->limit.nr_pages -= min_size(rc->limit.nr_pages, nr_touched);
}

/* Another thread's look at the clock may be a little older than what was freed since. */
static bool is_due(const struct reclaim *rc, const struct pageblock *block)
{
	uint16_t age = (uint16_t)(READ_ONCE(zone.now) - block->freed_at);

	if (age > UINT16_MAX - FUTURE_TICKS)
		age = 0;
	return !rc->aged || (block->freed_at && age * TICK_MS >= rc->limit.min_age_ms);
}

/* The two pageblocks of a unit, at its first page: a free block or range may begin in the first. */
static bool unit_is_due(const struct reclaim *rc, size_t pfn)
{
	return is_due(rc, pfn_to_pageblock(pfn)) ||
	       is_due(rc, pfn_to_pageblock(pfn + PAGEBLOCK_PAGES));
}

/* Pages of one pageblock that are in free blocks of the buddy. */
static size_t count_buddy_free(size_t pfn)
{
	size_t end = pfn + PAGEBLOCK_PAGES, nr_free = 0, nr_pages;

	for (; pfn < end; pfn += nr_pages) {
		const struct page *page = pfn_to_page(pfn);
		bool is_free = READ_ONCE(page->kind) == PAGE_BUDDY;

		nr_pages = is_free ? (size_t)1 << page->order : 1;
		nr_free += is_free ? nr_pages : 0;
	}
	return nr_free;
}

static size_t count_free(const struct pageblock *block)
{
	if (block->kind == PAGEBLOCK_RUNS)
		return PAGEBLOCK_PAGES - block->nr_used;
	return count_buddy_free(pageblock_to_pfn(block));
}

/* A huge page is only split for good reason; without one its pageblock waits for more frees. */
static bool shall_stay_whole(const struct reclaim *rc, const struct pageblock *block)
{
	return block->huge == HUGE_WHOLE && rc->aged && !rc->limit.split &&
	       count_free(block) < PAGEBLOCK_PAGES / 2;
}

/* A free block whose head lies in the pageblock and that has touched pages is taken whole. */
static void search_buddy_block(struct reclaim *rc, size_t end)
{
	size_t pfn = rc->cursor;

	while (pfn < end && !is_full(rc)) {
		struct page *page = pfn_to_page(pfn);
		bool is_free = READ_ONCE(page->kind) == PAGE_BUDDY;
		size_t nr_pages = is_free ? (size_t)1 << page->order : 1;
		size_t nr_touched = is_free ? residency_count_touched(pfn, nr_pages) : 0;

		if (nr_touched) {
			add_extent(rc, isolate_block_locked(page));
			count_down(rc, nr_touched);
		}
		pfn += nr_pages;
	}
	rc->cursor = pfn;
}

static void search_run_block(struct reclaim *rc, struct pageblock *block, size_t end)
{
	size_t start = end - PAGEBLOCK_PAGES, bit = rc->cursor - start;

	while (bit < PAGEBLOCK_PAGES && !is_full(rc)) {
		struct extent extent = isolate_run_locked(block, &bit, 1);

		if (extent.nr_pages)
			add_extent(rc, extent);
		count_down(rc, extent.nr_pages);
	}
	rc->cursor = start + bit;
}

/* Touched pages of a unit that is due, which is looked at herewith. */
static size_t look_at_unit(const struct reclaim *rc, size_t unit)
{
	size_t pfn = unit * UNIT_PAGES;

	if (is_full(rc) || !unit_is_due(rc, pfn))
		return 0;
	for (unsigned int block = 0; block < UNIT_PAGEBLOCKS; block++)
		pfn_to_pageblock(pfn + block * PAGEBLOCK_PAGES)->freed_at = 0;
	return residency_count_touched(pfn, UNIT_PAGES);
}

/* The first units in a row that are due. What is behind them begins a range of its own then. */
static void search_range(struct reclaim *rc, struct pageblock *range)
{
	size_t unit = range_unit(range), end = unit + range->nr_units, first;
	size_t nr_touched = 0;

	while (unit < end && !(nr_touched = look_at_unit(rc, unit)))
		unit++;
	for (first = unit; nr_touched; nr_touched = unit < end ? look_at_unit(rc, unit) : 0) {
		count_down(rc, nr_touched);
		unit++;
	}
	if (unit > first)
		add_extent(rc, isolate_units_locked(range, first, unit - first));
	rc->cursor = unit * UNIT_PAGES;
}

/* Free pages of a pageblock that is the buddy's or run's, which reclaim may have now. */
static bool may_search(const struct reclaim *rc, struct pageblock *block)
{
	if (block->kind == PAGEBLOCK_RUNS)
		return is_due(rc, block) && !shall_stay_whole(rc, block);
	/* A free block may begin in the unit's first pageblock and reach into the second. */
	return block->kind == PAGEBLOCK_BUDDY &&
	       unit_is_due(rc, align_down(rc->cursor, UNIT_PAGES)) &&
	       !shall_stay_whole(rc, block);
}

static void search_pageblock(struct reclaim *rc)
{
	size_t end = (rc->cursor / PAGEBLOCK_PAGES + 1) * PAGEBLOCK_PAGES;
	struct pageblock *block = pfn_to_pageblock(rc->cursor);
	bool whole = is_aligned(rc->cursor, PAGEBLOCK_PAGES);

	if (block->kind == PAGEBLOCK_RANGE && whole) {
		search_range(rc, block);
		return;
	}
	if (!may_search(rc, block)) {
		rc->cursor = end; /* also the inside of a range that the hand was amid */
		return;
	}
	if (block->kind == PAGEBLOCK_RUNS)
		search_run_block(rc, block, end);
	else
		search_buddy_block(rc, end);
	if (whole && rc->cursor >= end && is_due(rc, block))
		block->freed_at = 0;
	if (rc->cursor > end) /* a free block that is the whole unit */
		pfn_to_pageblock(end)->freed_at = 0;
}

/* Isolate the next batch. Every free page is met once, whatever becomes of it. */
static void collect_locked(struct reclaim *rc)
{
	rc->nr = 0;
	while ((rc->cursor = pfn_next_open(rc->cursor)) < rc->end && !is_full(rc))
		search_pageblock(rc);
}

/* The kernel has dropped so many bytes from the first range on. Returns how many are done with. */
static unsigned int note_dropped(size_t *dropped, struct os_range *ranges, size_t bytes)
{
	unsigned int nr_done = 0;

	while (bytes) {
		struct os_range *range = &ranges[nr_done];
		size_t part = min_size(bytes, range->bytes);

		dropped[nr_done] += part >> PAGE_SHIFT;
		*range = (struct os_range){ (char *)range->address + part, range->bytes - part };
		nr_done += !range->bytes;
		bytes -= part;
	}
	return nr_done;
}

/*
 * The struct pages of units that were dropped whole, 16 pages each. They say nothing of free units
 * but zeros, and what nobody reads: what the kernel makes of them need not be known.
 */
static void purge_memmap(const struct reclaim *rc, struct os_range *ranges)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < rc->nr; i++) {
		const struct extent *extent = &rc->extents[i];

		if (extent->kind == EXTENT_RANGE && rc->nr_dropped[i] == extent->nr_pages)
			ranges[nr++] = (struct os_range){ pfn_to_page(extent->pfn),
							  extent->nr_pages * sizeof(struct page) };
	}
	if (nr)
		os_purge_ranges(ranges, nr);
}

/* Drop the batch's pages. What the kernel refuses (locked memory, say) is passed over. */
static void purge_batch(struct reclaim *rc)
{
	struct os_range ranges[BATCH_EXTENTS];
	unsigned int i;

	for (i = 0; i < rc->nr; i++)
		ranges[i] = (struct os_range){ pfn_to_virt(rc->extents[i].pfn),
					       rc->extents[i].nr_pages * PAGE_SIZE };
	for (i = 0; i < rc->nr;) {
		long bytes = os_purge_ranges(&ranges[i], rc->nr - i);

		i += bytes > 0 ? note_dropped(&rc->nr_dropped[i], &ranges[i], (size_t)bytes) : 1;
	}
	purge_memmap(rc, ranges);
}

/* Not dropped, or not all of it: somebody shall look at it again. */
static void note_refused(const struct extent *extent, size_t nr_dropped)
{
	size_t pfn = extent->pfn + nr_dropped, end = extent->pfn + extent->nr_pages;

	for (; pfn < end; pfn = align_down(pfn, PAGEBLOCK_PAGES) + PAGEBLOCK_PAGES)
		pfn_to_pageblock(pfn)->freed_at = READ_ONCE(zone.now);
}

static void put_back_batch(struct reclaim *rc)
{
	zone_lock();
	for (unsigned int i = 0; i < rc->nr; i++) {
		const struct extent *extent = &rc->extents[i];

		note_refused(extent, rc->nr_dropped[i]);
		rc->nr_done += residency_count_touched(extent->pfn, rc->nr_dropped[i]);
		residency_note_purged(extent->pfn, rc->nr_dropped[i]);
		unisolate_locked(extent);
	}
	zone.nr_isolated = 0;
	zone_unlock();
}

/* Isolate the next free pages that are not HOLE, do `work`, and put them back. */
static bool visit_batch_locked(struct reclaim_walk *walk, struct reclaim *rc,
			       void (*work)(struct reclaim *rc))
{
	rc->cursor = walk->cursor;
	zone_lock();
	collect_locked(rc);
	zone.nr_isolated = rc->nr;
	zone_unlock();
	work(rc);
	put_back_batch(rc);
	walk->cursor = rc->cursor;
	walk->nr_pages += rc->nr_done;
	return rc->nr;
}

static bool visit_batch(struct reclaim_walk *walk, void (*work)(struct reclaim *rc))
{
	struct reclaim rc = { .end = mm_map.nr_pages, .limit = { .nr_pages = SIZE_MAX } };
	bool more;

	lock_acquire(LOCK_RECLAIM);
	more = visit_batch_locked(walk, &rc, work);
	lock_release(LOCK_RECLAIM);
	return more;
}

bool reclaim_aged_locked(struct reclaim_walk *walk, struct reclaim_limit *limit, size_t end)
{
	struct reclaim rc = { .end = end, .limit = *limit, .aged = true };
	bool more = visit_batch_locked(walk, &rc, purge_batch);

	*limit = rc.limit;
	return more;
}

bool reclaim_some(struct reclaim_walk *walk)
{
	return visit_batch(walk, purge_batch);
}

/* --- asking ------------------------------------------------------------------------------- */

/* Up to a pageblock of isolated pages. Returns how many have a frame. */
static size_t resolve_pages(size_t pfn, size_t nr_pages)
{
	unsigned char resident[PAGEBLOCK_PAGES];
	size_t nr_resident;

	if (os_mincore(pfn_to_virt(pfn), nr_pages * PAGE_SIZE, resident))
		return 0;
	zone_lock();
	nr_resident = residency_note_resident(pfn, nr_pages, resident);
	zone_unlock();
	return nr_resident;
}

static void resolve_batch(struct reclaim *rc)
{
	for (unsigned int i = 0; i < rc->nr; i++) {
		size_t pfn = rc->extents[i].pfn, end = pfn + rc->extents[i].nr_pages, nr_pages;

		for (; pfn < end; pfn += nr_pages) {
			nr_pages = min_size(end - pfn, PAGEBLOCK_PAGES);
			rc->nr_done += resolve_pages(pfn, nr_pages);
		}
	}
}

bool reclaim_resolve_some(struct reclaim_walk *walk)
{
	return visit_batch(walk, resolve_batch);
}
