/* sparse.c - see sparse.h. */
#include "vmalloc/sparse.h"

#include <string.h>

#include "mm/residency.h"
#include "mm/zone.h"
#include "os/os.h"

/* An area that had fewer holes does not tell much; of a larger one the look takes too long. */
#define MIN_HOLES 64u
#define MAX_PAGES ((256u << 20) / PAGE_SIZE)
/* So many pages in a row without a frame are worth a call that makes them holes for certain. */
#define STRETCH_MIN_PAGES 32u

/* A share is of so many pages. */
#define ALL 256u
/* Of two looks the second is worth three times as much as the first. */
#define WEIGHT 4u

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

size_t sparse_spared_locked(size_t nr_pages)
{
	return nr_pages * *share_of(nr_pages) / ALL;
}

static void learn(const struct page *page, size_t nr_pages, size_t nr_holes, size_t nr_untouched)
{
	uint16_t *share = share_of(nr_pages);
	size_t seen = min_size(nr_untouched, nr_holes) * ALL / nr_holes;

	zone_lock();
	zone_lower_peak_locked(nr_untouched - min_size(nr_untouched, page->nr_spared));
	*share = (uint16_t)((*share + (WEIGHT - 1) * seen) / WEIGHT);
	zone_unlock();
}

static size_t count_holes(size_t pfn, size_t nr_pages)
{
	size_t nr_touched;

	zone_lock();
	nr_touched = residency_count_touched(pfn, nr_pages);
	zone_unlock();
	return nr_pages - nr_touched;
}

/* mincore does not tell what is swapped out from what was never touched: so it is dropped. */
static size_t note_stretch(size_t pfn, size_t nr_pages, bool resident)
{
	bool dropped = !resident && nr_pages >= STRETCH_MIN_PAGES &&
		       !os_purge(pfn_to_virt(pfn), nr_pages * PAGE_SIZE);

	zone_lock();
	if (dropped)
		residency_note_purged(pfn, nr_pages);
	else
		residency_note_filled(pfn, nr_pages);
	zone_unlock();
	return dropped ? nr_pages : 0;
}

/* Of a pageblock at most. Returns how many have no frame. */
static size_t look_at(size_t pfn, size_t nr_pages)
{
	unsigned char resident[PAGEBLOCK_PAGES];
	size_t first = 0, nr_untouched = 0;

	if (os_mincore(pfn_to_virt(pfn), nr_pages * PAGE_SIZE, resident))
		memset(resident, 1, nr_pages);
	for (size_t page = 1; page <= nr_pages; page++) {
		if (page < nr_pages && !((resident[page] ^ resident[first]) & 1))
			continue;
		nr_untouched += note_stretch(pfn + first, page - first, resident[first] & 1);
		first = page;
	}
	return nr_untouched;
}

bool sparse_look(const struct page *page)
{
	size_t pfn = page_to_pfn(page), nr_all = READ_ONCE(page->nr_pages), end = pfn + nr_all;
	size_t nr_holes = count_holes(pfn, nr_all), nr_untouched = 0, nr_pages;

	if (nr_holes < MIN_HOLES || nr_all > MAX_PAGES)
		return false;
	for (; pfn < end; pfn += nr_pages) {
		nr_pages = min_size(end - pfn, PAGEBLOCK_PAGES - pfn % PAGEBLOCK_PAGES);
		nr_untouched += look_at(pfn, nr_pages);
	}
	learn(page, nr_all, nr_holes, nr_untouched);
	return true;
}
