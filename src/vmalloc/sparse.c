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

/* Of so many pages: a share. Above SPARSE areas of a size count as hardly touched. */
#define ALL 256u
#define SPARSE 192u
/* By such a share of the area what was expected may be wrong: no two are the same. */
#define TOLERANCE 16u

/* Sizes that have the highest bit and the two behind it in common. */
#define SIZES_PER_ORDER 4u
#define NR_SIZES (32 * SIZES_PER_ORDER)

/* Of areas of about a size: the share of the pages that were left holes. Zone lock. */
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

	return share <= SPARSE || nr_pages > MAX_PAGES ? 0 : nr_pages * share / ALL;
}

/*
 * Who touches an area gets frames again at once, and that most are not touched takes two looks one
 * after the other: blocks of both kinds that are of one size are not to be without frames.
 */
static void learn(size_t nr_pages, size_t nr_untouched)
{
	uint16_t *share = share_of(nr_pages);
	size_t known = *share, seen = nr_untouched * ALL / nr_pages;

	if (seen > known)
		seen = known + (seen - known) * 3 / 4;
	WRITE_ONCE(*share, (uint16_t)seen);
}

/*
 * An area that was counted in full had no more at the peak either, if it was there then. What is
 * known of its size by now and is so counted all the same is not of the kind: it is left alone.
 */
static void correct_peak(const struct page *page, size_t nr_untouched)
{
	size_t nr_known = page->nr_pages * *share_of(page->nr_pages) / ALL;
	bool is_news = nr_untouched > nr_known + page->nr_pages / TOLERANCE;

	if (is_news || (!page->nr_spared && sparse_spared(page->nr_pages)))
		zone_lower_peak_locked(nr_untouched - min_size(nr_untouched, page->nr_spared));
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

/* Nothing is known of the size any more. */
static void forget(size_t nr_pages)
{
	zone_lock();
	WRITE_ONCE(*share_of(nr_pages), 0);
	zone_unlock();
}

/* Of what is swapped out nobody knows how much was a hole before: no more than there were. */
bool sparse_look(const struct page *page)
{
	size_t pfn = page_to_pfn(page), nr_all = page->nr_pages, end = pfn + nr_all;
	size_t nr_holes, nr_dropped = 0, nr_pages;

	if (nr_all > MAX_PAGES)
		return false;
	nr_holes = residency_count_holes(pfn, nr_all);
	if (nr_holes < nr_all - nr_all / MAX_WITH_FRAMES)
		return false;
	if (os_is_filtered()) {
		forget(nr_all);
		return false;
	}
	for (; pfn < end; pfn += nr_pages) {
		nr_pages = min_size(end - pfn, PAGEBLOCK_PAGES - pfn % PAGEBLOCK_PAGES);
		nr_dropped += look_at(pfn, nr_pages);
	}
	nr_dropped = min_size(nr_dropped, nr_holes);
	zone_lock();
	correct_peak(page, nr_dropped);
	learn(nr_all, nr_dropped);
	zone_unlock();
	return true;
}
