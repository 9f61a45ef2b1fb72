/* page_isolation.c - see page_isolation.h. */
#include "mm/page_isolation.h"

#include "mm/page_alloc.h"
#include "mm/pagerun.h"
#include "mm/range.h"
#include "mm/residency.h"

struct extent isolate_block_locked(struct page *page)
{
	struct extent extent = { EXTENT_BUDDY, page_to_pfn(page), (size_t)1 << page->order };

	buddy_isolate_locked(page);
	return extent;
}

struct extent isolate_run_locked(struct pageblock *block, size_t *bit, size_t min_pages)
{
	struct extent extent = { .kind = EXTENT_RUN };

	extent.pfn = run_isolate_locked(block, *bit, min_pages, &extent.nr_pages);
	*bit = extent.nr_pages ? extent.pfn % PAGEBLOCK_PAGES + extent.nr_pages : PAGEBLOCK_PAGES;
	return extent;
}

struct extent isolate_units_locked(struct pageblock *range, size_t unit, size_t nr_units)
{
	struct extent extent = { EXTENT_RANGE, unit * UNIT_PAGES, nr_units * UNIT_PAGES };

	zone_sub_free_touched(residency_count_touched(extent.pfn, extent.nr_pages));
	range_clip_locked(range, unit, nr_units);
	return extent;
}

void unisolate_locked(const struct extent *extent)
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
		zone_add_free_touched(residency_count_touched(pfn, nr_pages));
		range_free_locked(pfn / UNIT_PAGES, nr_pages / UNIT_PAGES);
		break;
	}
}
