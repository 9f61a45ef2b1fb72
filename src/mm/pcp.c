/* pcp.c - see pcp.h. */
#include "mm/pcp.h"

#include "mm/memmap.h"
#include "mm/page_alloc.h"
#include "mm/residency.h"
#include "mm/pagerun.h"
#include "os/os.h"

/*
 * Pages that one refill or drain moves. The kernel moves 63; a thread's share must stay small
 * against the 80 KiB that a mostly idle thread may cost, and a slab is asked for rarely.
 */
#define PCP_BATCH_PAGES 8u

/*
 * Populated at once from 16 KiB on: 1.7 us a page there, 1.45 with 64 KiB, against 2.0 of a fault.
 */
#define POPULATE_MIN_ORDER 2u

/* Pages in short runs that a pcp keeps: what four threads keep is 2 MiB. */
#define PCP_RUN_PAGES 128u
/* Long runs in all pcps: 8 MiB. */
#define MAX_LONG_RUNS 4u

static _Atomic unsigned int nr_long_runs;

static unsigned int batch_of(unsigned int order)
{
	return PCP_BATCH_PAGES >> order;
}

static inline void push(struct pcp *pcp, struct page *page, unsigned int order)
{
	WRITE_ONCE(page->kind, PAGE_PCP);
	WRITE_ONCE(page->order, (uint8_t)order);
	list_add(&page->list, &pcp->list[order]);
	WRITE_ONCE(pcp->count[order], (uint16_t)(pcp->count[order] + 1));
}

static struct page *pop(struct pcp *pcp, unsigned int order)
{
	struct page *page = list_first_entry_or_null(&pcp->list[order], struct page, list);

	if (!page)
		return NULL;
	__list_del_entry(&page->list);
	WRITE_ONCE(pcp->count[order], (uint16_t)(pcp->count[order] - 1));
	WRITE_ONCE(page->kind, PAGE_NONE);
	return page;
}

void pcp_init(struct pcp *pcp, unsigned int memcg, unsigned int nid)
{
	pcp->memcg = (uint16_t)memcg;
	pcp->nid = (uint16_t)nid;
	for (unsigned int order = 0; order <= PCP_MAX_ORDER; order++)
		INIT_LIST_HEAD(&pcp->list[order]);
}

/* As zone_alloc wants it: 2^order pages. */
static struct page *zone_take_locked(size_t nr_pages, size_t align)
{
	struct page *page = alloc_pages_locked(ilog2(nr_pages));

	(void)align; /* blocks are aligned to their size */
	if (!page)
		return NULL;
	residency_note_used(page_to_pfn(page), nr_pages);
	zone_charge_locked(page, USE_SLAB, nr_pages);
	return page;
}

static bool is_hole(const struct page *page, size_t nr_pages)
{
	size_t nr_touched;

	zone_lock();
	nr_touched = residency_count_touched(page_to_pfn(page), nr_pages);
	zone_unlock();
	return !nr_touched;
}

/* One call costs less than a fault a page. */
static struct page *zone_take(unsigned int order, bool populate)
{
	size_t nr_pages = (size_t)1 << order;
	struct page *page = zone_alloc(zone_take_locked, USE_SLAB, nr_pages, nr_pages);

	if (page && populate && order >= POPULATE_MIN_ORDER && is_hole(page, nr_pages))
		os_populate(page_address(page), nr_pages * PAGE_SIZE);
	return page;
}

static void zone_give_locked(struct page *page, unsigned int order)
{
	zone_recharge_locked(page, USE_SLAB, -((ptrdiff_t)1 << order));
	free_pages_locked(page, order);
}

static bool is_of_node(const struct pcp *pcp, const struct page *page)
{
	return likely(zone.nr_nodes == 1) || page_to_nid(page) == pcp->nid;
}

/* The rest of a batch, of the pcp's node only. */
static void fill(struct pcp *pcp, unsigned int order, unsigned int nr_blocks)
{
	zone_lock();
	while (nr_blocks-- > 0) {
		struct page *page = zone_alloc_near_locked(zone_take_locked, USE_SLAB,
							   (size_t)1 << order, 0);

		if (!page)
			break;
		push(pcp, page, order);
	}
	zone_unlock();
}

/* The block to return, and then a batch's rest for the list. NULL: no memory. */
static struct page *refill(struct pcp *pcp, unsigned int order, bool populate)
{
	struct page *first = zone_take(order, populate);

	if (first && likely(is_of_node(pcp, first)))
		fill(pcp, order, batch_of(order) - 1);
	return first;
}

/* The coldest blocks go first. */
static void drain_order(struct pcp *pcp, unsigned int order, unsigned int nr_blocks)
{
	zone_lock();
	while (nr_blocks-- > 0) {
		struct page *page = list_last_entry(&pcp->list[order], struct page, list);

		__list_del_entry(&page->list);
		WRITE_ONCE(pcp->count[order], (uint16_t)(pcp->count[order] - 1));
		WRITE_ONCE(page->kind, PAGE_NONE);
		zone_give_locked(page, order);
	}
	zone_unlock();
}

static void free_to_zone(struct page *page, unsigned int order)
{
	zone_lock();
	zone_give_locked(page, order);
	zone_unlock();
}

/* Pages are wanted that are not here. */
static void want_pages(struct pcp *pcp)
{
	if (zone_has_grown(&pcp->nr_faulted_seen))
		pcp_drain(pcp);
	else
		pcp_give_up_long(pcp);
}

struct page *pcp_alloc(struct pcp *pcp, unsigned int order, bool populate)
{
	struct page *page;

	page = order <= PCP_MAX_ORDER ? pop(pcp, order) : NULL;
	if (page)
		return page;
	want_pages(pcp);
	return order <= PCP_MAX_ORDER ? refill(pcp, order, populate) : zone_take(order, populate);
}

void pcp_free(struct pcp *pcp, struct page *page, unsigned int order)
{
	if (order > PCP_MAX_ORDER || unlikely(page->memcg != pcp->memcg) ||
	    unlikely(!is_of_node(pcp, page))) {
		free_to_zone(page, order);
		return;
	}
	push(pcp, page, order);
	if (pcp->count[order] > 2 * batch_of(order))
		drain_order(pcp, order, batch_of(order));
}

/* --- runs ------------------------------------------------------------------------------------ */

static struct page **run_set(struct pcp *pcp, size_t nr_pages)
{
	return pcp->run[nr_pages % PCP_RUN_SETS];
}

static void unreserve_long(void)
{
	atomic_fetch_sub_explicit(&nr_long_runs, 1, memory_order_relaxed);
}

/* Forget way w of a set; the older ones move up. */
static struct page *run_take(struct pcp *pcp, struct page **set, unsigned int way)
{
	struct page *page = set[way];

	for (; way + 1 < PCP_RUN_WAYS; way++)
		set[way] = set[way + 1];
	set[PCP_RUN_WAYS - 1] = NULL;
	WRITE_ONCE(pcp->nr_run_pages, pcp->nr_run_pages - page->nr_pages);
	if (page == pcp->long_run) {
		pcp->long_run = NULL;
		unreserve_long();
	}
	WRITE_ONCE(page->record.tid, 0);
	WRITE_ONCE(page->kind, PAGE_RUN);
	pagemap_write(page_to_pfn(page), PAGEMAP_RUN);
	return page;
}

/* The heap itself is aligned to a pageblock only. */
static bool is_page_aligned_to(const struct page *page, size_t align_pages)
{
	return is_aligned((uintptr_t)page_address(page), align_pages * PAGE_SIZE);
}

struct page *pcp_run_alloc_aligned(struct pcp *pcp, size_t nr_pages, size_t align_pages)
{
	struct page **set = run_set(pcp, nr_pages);

	for (unsigned int way = 0; way < PCP_RUN_WAYS && set[way]; way++)
		if (set[way]->nr_pages == nr_pages && is_page_aligned_to(set[way], align_pages))
			return run_take(pcp, set, way);
	want_pages(pcp);
	return NULL;
}

struct page *pcp_run_alloc(struct pcp *pcp, size_t nr_pages)
{
	return pcp_run_alloc_aligned(pcp, nr_pages, 1);
}

static void run_put(struct pcp *pcp, struct page **set, struct page *page)
{
	if (set[PCP_RUN_WAYS - 1])
		run_free(run_take(pcp, set, PCP_RUN_WAYS - 1));
	for (unsigned int way = PCP_RUN_WAYS - 1; way > 0; way--)
		set[way] = set[way - 1];
	set[0] = page;
	WRITE_ONCE(pcp->nr_run_pages, pcp->nr_run_pages + page->nr_pages);
}

/* --- a long run ------------------------------------------------------------------------------ */

static void give_up_long(struct pcp *pcp)
{
	struct page **set = run_set(pcp, pcp->long_run->nr_pages);

	for (unsigned int way = 0; way < PCP_RUN_WAYS; way++)
		if (set[way] == pcp->long_run) {
			run_free(run_take(pcp, set, way));
			return;
		}
}

void pcp_give_up_long(struct pcp *pcp)
{
	if (unlikely(pcp->long_run))
		give_up_long(pcp);
}

/* A place for one more. Where memory is limited none is kept that others cannot have. */
static bool reserve_long(struct pcp *pcp)
{
	pcp_give_up_long(pcp);
	if (zone_is_bounded() || pcp->memcg)
		return false;
	if (atomic_fetch_add_explicit(&nr_long_runs, 1, memory_order_relaxed) < MAX_LONG_RUNS)
		return true;
	unreserve_long();
	return false;
}

/* --- runs that are freed --------------------------------------------------------------------- */

/* For short ones. */
static bool has_room(const struct pcp *pcp, uint32_t nr_pages)
{
	uint32_t nr_long = pcp->long_run ? pcp->long_run->nr_pages : 0;

	return pcp->nr_run_pages - nr_long + nr_pages <= PCP_RUN_PAGES;
}

bool pcp_run_free(struct pcp *pcp, struct page *page)
{
	uint32_t nr_pages = READ_ONCE(page->nr_pages);
	bool is_long = nr_pages > PCP_MAX_RUN_PAGES;

	if (unlikely(READ_ONCE(page->memcg) != pcp->memcg) || unlikely(!is_of_node(pcp, page)))
		return false;
	if (is_long ? !reserve_long(pcp) : !has_room(pcp, nr_pages))
		return false;
	if (!pagemap_claim(page_to_pfn(page), PAGEMAP_RUN)) {
		if (is_long)
			unreserve_long();
		return false;
	}
	WRITE_ONCE(page->kind, PAGE_PCP);
	run_put(pcp, run_set(pcp, nr_pages), page);
	if (is_long)
		pcp->long_run = page;
	return true;
}

void pcp_drain_runs(struct pcp *pcp)
{
	for (unsigned int set = 0; set < PCP_RUN_SETS; set++)
		while (pcp->run[set][0])
			run_free(run_take(pcp, pcp->run[set], 0));
}

void pcp_drain(struct pcp *pcp)
{
	for (unsigned int order = 0; order <= PCP_MAX_ORDER; order++)
		if (pcp->count[order])
			drain_order(pcp, order, pcp->count[order]);
	pcp_drain_runs(pcp);
}

bool pcp_is_empty(const struct pcp *pcp)
{
	for (unsigned int order = 0; order <= PCP_MAX_ORDER; order++)
		if (READ_ONCE(pcp->count[order]))
			return false;
	return !READ_ONCE(pcp->nr_run_pages);
}
