/* vmap_area.c - see vmap_area.h. */
#include "vmalloc/vmap_area.h"

#include "mm/huge_memory.h"
#include "mm/range.h"
#include "mm/residency.h"
#include "os/os.h"

/* Touched pages of slack that are not worth a system call (2 us and the faults of a later life). */
#define SLACK_KEPT_PAGES 64u

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
	residency_note_used(pfn, nr_pages);
	zone_count_locked(USE_AREA, (ptrdiff_t)nr_pages);
	WRITE_ONCE(page->kind, PAGE_AREA);
	WRITE_ONCE(page->nr_pages, (uint32_t)nr_pages);
	pagemap_write(pfn, PAGEMAP_AREA);
	WRITE_ONCE(nr_areas, nr_areas + 1);
	return page;
}

/* Drop pages that nobody else can get at, with the lock released over the system call. */
static void purge_isolated(size_t pfn, size_t nr_pages)
{
	int error;

	zone_unlock();
	error = os_purge(pfn_to_virt(pfn), nr_pages * PAGE_SIZE);
	zone_lock();
	if (!error)
		residency_note_purged(pfn, nr_pages);
}

/*
 * What lies between an area's last page and the end of its last unit is of no use to anybody while
 * the area lives: it must not keep frames from an earlier life. The last huge page stays whole.
 */
static void drop_slack(size_t pfn, size_t nr_pages)
{
	bool huge = pfn_to_pageblock(pfn)->part == RANGE_HIGH && huge_suits_area(nr_pages);
	size_t slack = pfn + align_up(nr_pages, huge ? PAGEBLOCK_PAGES : 1);
	size_t nr_slack = pfn + units_of(nr_pages) * UNIT_PAGES - slack;

	if (residency_count_touched(slack, nr_slack) > SLACK_KEPT_PAGES)
		purge_isolated(slack, nr_slack);
}

static struct page *alloc_locked(size_t nr_pages, size_t align_bytes)
{
	size_t align_units = max_size(align_bytes / UNIT_BYTES, 1);
	struct page *page;
	size_t unit;

	if (!range_alloc_locked(huge_area_part_locked(nr_pages), units_of(nr_pages),
				align_units, &unit))
		return NULL;
	page = start_area(unit, nr_pages);
	drop_slack(unit * UNIT_PAGES, nr_pages);
	return page;
}

struct page *area_alloc(size_t nr_pages, size_t align_bytes)
{
	return zone_alloc(alloc_locked, nr_pages, align_bytes);
}

/* The program no longer uses these pages of an area; they are isolated, not free yet. */
static void note_unused(size_t pfn, size_t nr_pages)
{
	residency_note_freed(pfn, nr_pages);
	zone_sub_free_touched(nr_pages); /* counted when the units are returned */
}

/* Return units with unused pages, which keep their frames for the time being (mm/decay.h). */
static void return_units(size_t unit, size_t nr_units)
{
	zone_add_free_touched(residency_count_touched(unit * UNIT_PAGES, nr_units * UNIT_PAGES));
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
		WRITE_ONCE(page->kind, PAGE_NONE);
		pagemap_write(pfn, 0);
		WRITE_ONCE(nr_areas, nr_areas - 1);
		zone_count_locked(USE_AREA, -(ptrdiff_t)nr_pages);
		note_unused(pfn, nr_pages);
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
	residency_note_used(page_to_pfn(page) + page->nr_pages, nr_pages - page->nr_pages);
	return true;
}

static void shrink_locked(struct page *page, size_t nr_pages)
{
	size_t unit = page_to_pfn(page) / UNIT_PAGES;
	size_t kept = units_of(nr_pages), nr_units = units_of(page->nr_pages);

	note_unused(page_to_pfn(page) + nr_pages, page->nr_pages - nr_pages);
	drop_slack(page_to_pfn(page), nr_pages);
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
