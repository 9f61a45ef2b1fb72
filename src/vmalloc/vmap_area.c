/* vmap_area.c - see vmap_area.h. */
#include "vmalloc/vmap_area.h"

#include "core/params.h"
#include "mm/huge_memory.h"
#include "mm/range.h"
#include "mm/residency.h"
#include "os/os.h"
#include "vmalloc/sparse.h"
#include "vmalloc/stitch.h"

/*
 * Touched pages of slack that may stay, of all areas together: of params.retain; and of one that
 * are not worth a system call. What is dropped must be faulted in, or moved there, when the next
 * area there is longer.
 */
#define SLACK_SHARE 4u
#define SLACK_KEPT_PAGES 64u

/* Zone lock. */
static size_t nr_areas;

static size_t units_of(size_t nr_pages)
{
	return div_round_up(nr_pages, UNIT_PAGES);
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
 * What lies between an area's last page and the end of its last unit. The last huge page is whole.
 */
static size_t slack_of(size_t pfn, size_t nr_pages)
{
	bool huge = pfn_to_pageblock(pfn)->part == RANGE_HIGH && huge_suits_area(nr_pages);

	return pfn + align_up(nr_pages, huge ? PAGEBLOCK_PAGES : 1);
}

static size_t end_of(size_t pfn, size_t nr_pages)
{
	return pfn + units_of(nr_pages) * UNIT_PAGES;
}

static size_t slack_touched(size_t pfn, size_t nr_pages)
{
	size_t slack = slack_of(pfn, nr_pages);

	return residency_count_touched(slack, end_of(pfn, nr_pages) - slack);
}

static void count_slack(size_t pfn, size_t nr_pages)
{
	zone.nr_slack_touched += slack_touched(pfn, nr_pages);
}

static void uncount_slack(size_t pfn, size_t nr_pages)
{
	zone.nr_slack_touched -= slack_touched(pfn, nr_pages);
}

/* It is of no use to anybody while the area lives: little of it keeps its frames. */
static void drop_slack(size_t pfn, size_t nr_pages)
{
	size_t slack = slack_of(pfn, nr_pages), nr_touched = slack_touched(pfn, nr_pages);
	size_t allowed = params.retain / PAGE_SIZE / SLACK_SHARE;

	if (nr_touched > SLACK_KEPT_PAGES && zone.nr_slack_touched + nr_touched > allowed)
		purge_isolated(slack, end_of(pfn, nr_pages) - slack);
}

void area_fill(struct page *page, size_t first)
{
	size_t pfn = page_to_pfn(page), nr_pages = page->nr_pages, slack = slack_of(pfn, nr_pages);

	zone_lock();
	uncount_slack(pfn, nr_pages);
	zone_unlock();
	stitch_fill(pfn + first, nr_pages - first, slack, end_of(pfn, nr_pages) - slack);
	zone_lock();
	drop_slack(pfn, nr_pages);
	count_slack(pfn, nr_pages);
	zone_unlock();
}

/*
 * First where all of it is resident, in whichever part; then where most of it is, since frames for
 * the rest can be moved there; then anywhere. What will hardly be touched goes where no frames are.
 */
static bool find_units_locked(size_t nr_pages, size_t align_units, size_t *unit)
{
	bool sparse = sparse_spared(nr_pages);
	enum range_part part = sparse && params.thp != THP_ALWAYS ? RANGE_LOW :
								   huge_area_part_locked(nr_pages);
	enum range_part other = part == RANGE_LOW ? RANGE_HIGH : RANGE_LOW;

	if (sparse && align_units == 1)
		return range_take_holes_locked(part, nr_pages, unit) ||
		       range_alloc_locked(part, units_of(nr_pages), align_units, unit);
	return (align_units == 1 && (range_take_resident_locked(part, nr_pages, true, unit) ||
				     range_take_resident_locked(other, nr_pages, true, unit) ||
				     range_take_resident_locked(part, nr_pages, false, unit))) ||
	       range_alloc_locked(part, units_of(nr_pages), align_units, unit);
}

static void set_spared(struct page *page, size_t nr_pages)
{
	zone.nr_spared += nr_pages - page->nr_spared;
	page->nr_spared = nr_pages;
}

/* What is expected of its size, but for the frames that are there. */
static size_t spared_of(size_t pfn, size_t nr_pages)
{
	size_t nr_spared = sparse_spared(nr_pages);

	return nr_spared ?
		       min_size(nr_spared, nr_pages - residency_count_touched(pfn, nr_pages)) : 0;
}

static struct page *start_area(size_t unit, size_t nr_pages, size_t nr_spared)
{
	size_t pfn = unit * UNIT_PAGES;
	struct page *page = pfn_to_page(pfn);

	residency_note_taken(pfn, units_of(nr_pages) * UNIT_PAGES);
	residency_note_used(pfn, nr_pages - nr_spared);
	page->nr_spared = 0;
	set_spared(page, nr_spared);
	zone_charge_locked(page, USE_AREA, nr_pages);
	huge_note_area_locked();
	WRITE_ONCE(page->record.tid, 0);
	WRITE_ONCE(page->kind, PAGE_AREA);
	WRITE_ONCE(page->nr_pages, (uint32_t)nr_pages);
	pagemap_write(pfn, PAGEMAP_AREA);
	WRITE_ONCE(nr_areas, nr_areas + 1);
	count_slack(pfn, nr_pages);
	return page;
}

static struct page *alloc_locked(size_t nr_pages, size_t align_bytes)
{
	size_t align_units = max_size(align_bytes / UNIT_BYTES, 1);
	size_t unit;

	if (!find_units_locked(nr_pages, align_units, &unit))
		return NULL;
	return start_area(unit, nr_pages, spared_of(unit * UNIT_PAGES, nr_pages));
}

static struct page *alloc_resident_locked(size_t nr_pages, size_t align_bytes)
{
	enum range_part part = huge_area_part_locked(nr_pages);
	size_t unit;

	(void)align_bytes;
	if (!range_take_resident_locked(part, nr_pages, true, &unit))
		return NULL;
	return start_area(unit, nr_pages, 0);
}

struct page *area_alloc_resident(size_t nr_pages)
{
	struct page *page;

	zone_lock();
	page = zone_alloc_near_locked(alloc_resident_locked, USE_AREA, nr_pages, PAGE_SIZE);
	zone_unlock();
	if (page)
		area_fill(page, nr_pages);
	return page;
}

static struct page *alloc_unfilled_locked(size_t nr_pages, size_t align_bytes)
{
	size_t unit;

	(void)align_bytes;
	if (!range_alloc_locked(huge_area_part_locked(nr_pages), units_of(nr_pages), 1, &unit))
		return NULL;
	return start_area(unit, nr_pages, 0);
}

struct page *area_alloc_unfilled(size_t nr_pages)
{
	return zone_alloc(alloc_unfilled_locked, USE_AREA, nr_pages, PAGE_SIZE);
}

struct page *area_alloc(size_t nr_pages, size_t align_bytes)
{
	struct page *page = zone_alloc(alloc_locked, USE_AREA, nr_pages, align_bytes);

	if (page)
		area_fill(page, page->nr_spared ? nr_pages : 0);
	return page;
}

/* The program no longer uses these pages of an area; they are isolated, not free yet. */
static void note_unused(size_t pfn, size_t nr_pages, void (*note)(size_t pfn, size_t nr_pages))
{
	note(pfn, nr_pages);
	/* Counted when the units are returned. */
	zone_sub_free_touched(residency_count_touched(pfn, nr_pages));
}

/* Return units with unused pages, which keep their frames for the time being (mm/decay.h). */
static void return_units(size_t unit, size_t nr_units)
{
	zone_add_free_touched(residency_count_touched(unit * UNIT_PAGES, nr_units * UNIT_PAGES));
	range_free_locked(unit, nr_units);
}

/* From now on nobody else finds it. False: it is none (any more). */
static bool claim(struct page *page)
{
	size_t pfn = page_to_pfn(page);
	bool is_area;

	zone_lock();
	is_area = page->kind == PAGE_AREA;
	if (is_area) {
		uncount_slack(pfn, page->nr_pages);
		WRITE_ONCE(page->kind, PAGE_NONE);
		pagemap_write(pfn, 0);
		WRITE_ONCE(nr_areas, nr_areas - 1);
	}
	zone_unlock();
	return is_area;
}

static void free_claimed(struct page *page, void (*note)(size_t pfn, size_t nr_pages))
{
	size_t pfn = page_to_pfn(page), nr_pages = page->nr_pages;

	zone_lock();
	set_spared(page, 0);
	zone_recharge_locked(page, USE_AREA, -(ptrdiff_t)nr_pages);
	note_unused(pfn, nr_pages, note);
	return_units(pfn / UNIT_PAGES, units_of(nr_pages));
	zone_unlock();
}

bool area_free(struct page *page)
{
	if (!claim(page))
		return false;
	free_claimed(page, sparse_look(page) ? residency_note_vacated : residency_note_freed);
	return true;
}

bool area_free_vacated(struct page *page)
{
	if (!claim(page))
		return false;
	free_claimed(page, residency_note_vacated);
	return true;
}

static bool extend_locked(struct page *page, size_t nr_pages)
{
	/* The range allocator takes back what lies in one part only. */
	enum range_part part = (enum range_part)pfn_to_pageblock(page_to_pfn(page))->part;
	size_t unit = page_to_pfn(page) / UNIT_PAGES;
	size_t nr_units = units_of(page->nr_pages);
	size_t nr_more = units_of(nr_pages) - nr_units;

	if (!zone_has_room_for_locked(page, USE_AREA, nr_pages - page->nr_pages) ||
	    (nr_more && !range_claim_locked(part, unit + nr_units, nr_more)))
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

	note_unused(page_to_pfn(page) + nr_pages, page->nr_pages - nr_pages, residency_note_freed);
	drop_slack(page_to_pfn(page), nr_pages);
	if (nr_units > kept)
		return_units(unit + kept, nr_units - kept);
}

bool area_resize(struct page *page, size_t nr_pages)
{
	ptrdiff_t change = (ptrdiff_t)nr_pages - (ptrdiff_t)page->nr_pages;
	bool done = true;

	zone_lock();
	uncount_slack(page_to_pfn(page), page->nr_pages);
	if (change > 0)
		done = extend_locked(page, nr_pages);
	else if (change < 0)
		shrink_locked(page, nr_pages);
	if (done) {
		set_spared(page, page->nr_spared ? spared_of(page_to_pfn(page), nr_pages) : 0);
		zone_recharge_locked(page, USE_AREA, change);
		WRITE_ONCE(page->nr_pages, (uint32_t)nr_pages);
	}
	count_slack(page_to_pfn(page), page->nr_pages);
	zone_unlock();
	if (done && change >= (ptrdiff_t)STITCH_MIN_PAGES)
		area_fill(page, nr_pages - (page->nr_spared ? 0 : (size_t)change));
	return done;
}

size_t area_count(void)
{
	return READ_ONCE(nr_areas);
}
