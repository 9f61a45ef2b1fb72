/* relocate.c - see relocate.h. */
#include "vmalloc/relocate.h"

#include <errno.h>

#include "core/params.h"
#include "mm/residency.h"
#include "os/os.h"
#include "vmalloc/mover.h"
#include "vmalloc/stitch.h"
#include "vmalloc/stitch_cost.h"

/* In a row. */
#define MAX_RETRIES 8u

void relocate_begin(size_t from, size_t nr_pages)
{
	zone_lock();
	residency_note_filled(from, nr_pages);
	zone_unlock();
}

/* Pages from `to` on that are all holes, or all not. */
static size_t stretch_at(size_t to, size_t nr_pages, bool *holes)
{
	size_t first, length;

	zone_lock();
	first = residency_find(to, nr_pages, false, &length);
	zone_unlock();
	*holes = first == to;
	return *holes ? length : first - to;
}

static bool is_whole(size_t to, size_t nr_pages)
{
	return nr_pages == PAGEBLOCK_PAGES && is_aligned(to, PAGEBLOCK_PAGES);
}

static bool is_same_node(size_t to, size_t from)
{
	return page_to_nid(pfn_to_page(to)) == page_to_nid(pfn_to_page(from));
}

/* Part of a huge page must not be moved, nor a frame into another node's memory. */
static bool may_move(size_t to, size_t from, size_t nr_pages)
{
	if (!is_same_node(to, from))
		return false;
	return !mover_may_be_huge(from) || (is_whole(to, nr_pages) && mover_moves_huge());
}

static bool is_worth_it(size_t to, size_t nr_pages)
{
	return params.stitch == STITCH_UFFD ||
	       cost_allows_moving(nr_pages, pfn_to_pageblock(to)->part == RANGE_HIGH);
}

static void note_moved(size_t from, size_t nr_pages)
{
	zone_lock();
	residency_note_purged(from, nr_pages);
	WRITE_ONCE(zone.nr_holes_filled, zone.nr_holes_filled + nr_pages);
	zone_unlock();
	WRITE_ONCE(stitch_counts.relocated, stitch_counts.relocated + nr_pages);
}

/* Pages without a frame are passed over: they read as zero in both places. */
static size_t move(size_t to, size_t from, size_t nr_pages)
{
	unsigned int nr_tries = 0;
	size_t nr_moved;
	int error;

	do
		error = mover_move(to, from, nr_pages, true, &nr_moved);
	while (!nr_moved && error == -EAGAIN && ++nr_tries < MAX_RETRIES);
	if (nr_moved)
		note_moved(from, nr_moved);
	else if (error == -EBADF || error == -ENOTTY)
		mover_lost();
	return nr_moved;
}

static size_t move_if_worth_it(size_t to, size_t from, size_t nr_pages)
{
	bool huge = mover_may_be_huge(from);
	size_t nr_moved;

	if (!mover_ready() || !may_move(to, from, nr_pages) || !is_worth_it(to, nr_pages))
		return 0;
	if (huge)
		mover_prepare_huge(to);
	nr_moved = move(to, from, nr_pages);
	if (huge)
		mover_note_huge(to);
	return nr_moved;
}

size_t relocate_some(size_t to, size_t from, size_t nr_pages, bool *moved)
{
	size_t nr_moved = 0;
	bool holes;

	nr_pages = min_size(nr_pages, PAGEBLOCK_PAGES - from % PAGEBLOCK_PAGES);
	nr_pages = stretch_at(to, nr_pages, &holes);
	*moved = false;
	if (!holes || nr_pages < STITCH_MIN_PAGES)
		return nr_pages;
	if (stitch_lock()) {
		nr_moved = move_if_worth_it(to, from, nr_pages);
		stitch_unlock();
	}
	*moved = nr_moved;
	if (!nr_moved)
		os_populate(pfn_to_virt(to), nr_pages * PAGE_SIZE); /* cheaper than by faults */
	return nr_moved ? nr_moved : nr_pages;
}
