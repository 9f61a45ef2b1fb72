/* sparse.c - see sparse.h. */
#include "vmalloc/sparse.h"

#include "mm/residency.h"
#include "mm/zone.h"
#include "os/os.h"
#include "os/os_move.h"

/* An area of which a larger share had frames does not tell; of a longer one the look takes long. */
#define MAX_WITH_FRAMES 4u
#define MAX_PAGES ((256u << 20) / PAGE_SIZE)
/* So many pages in a row without a frame are worth a call that makes them holes for certain. */
#define STRETCH_MIN_PAGES 32u

/* Of so many pages: a share. From SPARSE on areas of a size count as hardly touched. */
#define ALL 256u
#define SPARSE 192u
/* Of two looks the second is worth three times as much as the first. */
#define WEIGHT 4u
/* By such a share of the area what was expected may be wrong: no two are the same. */
#define TOLERANCE 16u

/* Sizes that have the highest bit and the two behind it in common. */
#define SIZES_PER_ORDER 4u
#define NR_SIZES (32 * SIZES_PER_ORDER)

/* Of areas of about a size: the share of the holes that stayed holes. Zone lock. */
static uint16_t untouched[NR_SIZES];

static uint16_t *share_of(size_t nr_pages)
{
	unsigned int order = ilog2(nr_pages);
	size_t step = nr_pages * SIZES_PER_ORDER >> order;

	return &untouched[(order * SIZES_PER_ORDER + step) % NR_SIZES];
}

size_t sparse_spared(size_t nr_pages)
{
	size_t share = READ_ONCE(*share_of(nr_pages));

	return share < SPARSE || nr_pages > MAX_PAGES ? 0 : nr_pages * share / ALL;
}

/*
 * Of what is swapped out nobody knows how much was a hole before. The peak is corrected while there
 * is something to learn: what is known by now and counted in full all the same is not of the kind.
 */
static void learn(const struct page *page, size_t nr_holes, size_t nr_dropped)
{
	uint16_t *share = share_of(page->nr_pages);
	size_t nr_untouched = min_size(nr_dropped, nr_holes);
	size_t nr_known = nr_holes * *share / ALL + page->nr_pages / TOLERANCE;

	if (nr_untouched > nr_known)
		zone_lower_peak_locked(nr_untouched - min_size(nr_untouched, page->nr_spared));
	WRITE_ONCE(*share, (uint16_t)((*share + (WEIGHT - 1) * nr_untouched * ALL / nr_holes) /
				      WEIGHT));
}

/*
 * Make a stretch of an area holes, if that is worth it. mincore does not tell what is swapped out
 * from what was never touched: so it is dropped. Returns how many are holes now.
 */
static size_t drop(size_t pfn, size_t nr_pages)
{
	if (nr_pages < STRETCH_MIN_PAGES || os_purge(pfn_to_virt(pfn), nr_pages * PAGE_SIZE))
		return 0;
	zone_lock();
	residency_note_purged(pfn, nr_pages);
	zone_unlock();
	return nr_pages;
}

/* Of a pageblock at most. Returns how many are holes. */
static size_t look_at(size_t pfn, size_t nr_pages)
{
	unsigned char resident[PAGEBLOCK_PAGES];
	size_t nr_dropped = 0, end;

	zone_lock();
	residency_note_filled(pfn, nr_pages);
	zone_unlock();
	if (os_mincore(pfn_to_virt(pfn), nr_pages * PAGE_SIZE, resident))
		return 0;
	for (size_t first = 0; first < nr_pages; first = end + 1) {
		for (end = first; end < nr_pages && !(resident[end] & 1); end++)
			;
		nr_dropped += drop(pfn + first, end - first);
	}
	return nr_dropped;
}

static size_t count_holes(size_t pfn, size_t nr_pages)
{
	size_t nr_touched;

	zone_lock();
	nr_touched = residency_count_touched(pfn, nr_pages);
	zone_unlock();
	return nr_pages - nr_touched;
}

bool sparse_look(const struct page *page)
{
	size_t pfn = page_to_pfn(page), nr_all = READ_ONCE(page->nr_pages), end = pfn + nr_all;
	size_t nr_holes, nr_dropped = 0, nr_pages;

	if (nr_all > MAX_PAGES)
		return false;
	nr_holes = count_holes(pfn, nr_all);
	if (nr_holes < nr_all - nr_all / MAX_WITH_FRAMES || os_is_filtered())
		return false;
	for (; pfn < end; pfn += nr_pages) {
		nr_pages = min_size(end - pfn, PAGEBLOCK_PAGES - pfn % PAGEBLOCK_PAGES);
		nr_dropped += look_at(pfn, nr_pages);
	}
	zone_lock();
	learn(page, nr_holes, nr_dropped);
	zone_unlock();
	return true;
}
