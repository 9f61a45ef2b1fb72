/* vmap_area.c - see vmap_area.h. */
#include "vmalloc/vmap_area.h"

#include "core/params.h"
#include "mm/range.h"
#include "mm/residency.h"
#include "os/os.h"

/* Zone lock. */
static size_t nr_areas;

static size_t units_of(size_t nr_pages)
{
	return div_round_up(nr_pages, UNIT_PAGES);
}

static struct page *start_area(size_t unit, size_t nr_pages)
{
	size_t pfn = unit * UNIT_PAGES;
	struct page *page = pfn_to_page(pfn);

	residency_note_taken(pfn, units_of(nr_pages) * UNIT_PAGES);
	zone_count_locked(USE_AREA, (ptrdiff_t)nr_pages);
	page->kind = PAGE_AREA;
	page->nr_pages = (uint32_t)nr_pages;
	pagemap_write(pfn, PAGEMAP_AREA);
	WRITE_ONCE(nr_areas, nr_areas + 1);
	return page;
}

struct page *area_alloc(size_t nr_pages, size_t align_bytes)
{
	size_t align_units = max_size(align_bytes / UNIT_BYTES, 1);
	struct page *page = NULL;
	size_t unit;

	zone_lock();
	if (range_alloc_locked(RANGE_HIGH, units_of(nr_pages), align_units, &unit))
		page = start_area(unit, nr_pages);
	zone_unlock();
	return page;
}

/*
 * Pages [pfn, pfn + nr_pages) of an area are no longer used: leave them touched, or drop them when
 * enough is kept already. The lock is released over the system call; the pages are isolated.
 */
static void retire_pages(size_t pfn, size_t nr_pages)
{
	bool keep = (zone.nr_range_touched + nr_pages) * PAGE_SIZE <= params.retain;
	int error;

	residency_note_freed(pfn, nr_pages);
	zone.nr_free_touched -= nr_pages; /* isolated: counted when the units are returned */
	if (keep)
		return;
	zone_unlock();
	error = os_purge(pfn_to_virt(pfn), nr_pages * PAGE_SIZE);
	zone_lock();
	if (!error)
		residency_note_purged(pfn, nr_pages);
}

static void return_units(size_t unit, size_t nr_units)
{
	zone.nr_free_touched += residency_count_touched(unit * UNIT_PAGES, nr_units * UNIT_PAGES);
	range_free_locked(unit, nr_units);
}

bool area_free(struct page *page)
{
	size_t pfn = page_to_pfn(page), nr_pages;
	bool is_area;

	zone_lock();
	is_area = page->kind == PAGE_AREA;
	if (is_area) {
		nr_pages = page->nr_pages;
		page->kind = PAGE_NONE;
		pagemap_write(pfn, 0);
		WRITE_ONCE(nr_areas, nr_areas - 1);
		zone_count_locked(USE_AREA, -(ptrdiff_t)nr_pages);
		retire_pages(pfn, nr_pages);
		return_units(pfn / UNIT_PAGES, units_of(nr_pages));
	}
	zone_unlock();
	return is_area;
}

static bool extend_locked(struct page *page, size_t nr_pages)
{
	/* The range allocator takes back what lies in one part only. */
	enum range_part part = (enum range_part)pfn_to_pageblock(page_to_pfn(page))->part;
	size_t unit = page_to_pfn(page) / UNIT_PAGES;
	size_t nr_units = units_of(page->nr_pages);
	size_t nr_more = units_of(nr_pages) - nr_units;

	if (nr_more && !range_claim_locked(part, unit + nr_units, nr_more))
		return false;
	if (nr_more)
		residency_note_taken((unit + nr_units) * UNIT_PAGES, nr_more * UNIT_PAGES);
	return true;
}

static void shrink_locked(struct page *page, size_t nr_pages)
{
	size_t unit = page_to_pfn(page) / UNIT_PAGES;
	size_t kept = units_of(nr_pages), nr_units = units_of(page->nr_pages);

	retire_pages(page_to_pfn(page) + nr_pages, page->nr_pages - nr_pages);
	if (nr_units > kept)
		return_units(unit + kept, nr_units - kept);
}

bool area_resize(struct page *page, size_t nr_pages)
{
	ptrdiff_t change = (ptrdiff_t)nr_pages - (ptrdiff_t)page->nr_pages;
	bool done = true;

	zone_lock();
	if (change > 0)
		done = extend_locked(page, nr_pages);
	else if (change < 0)
		shrink_locked(page, nr_pages);
	if (done) {
		zone_count_locked(USE_AREA, change);
		WRITE_ONCE(page->nr_pages, (uint32_t)nr_pages);
	}
	zone_unlock();
	return done;
}

size_t area_count(void)
{
	return READ_ONCE(nr_areas);
}
