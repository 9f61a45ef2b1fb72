/* pcp.c - see pcp.h. */
#include "mm/pcp.h"

#include "mm/page_alloc.h"

/*
 * Pages that one refill or drain moves. The kernel moves 63; a thread's share must stay small
 * against the 80 KiB that a mostly idle thread may cost, and a slab is asked for rarely.
 */
#define PCP_BATCH_PAGES 8u

static unsigned int batch_of(unsigned int order)
{
	return PCP_BATCH_PAGES >> order;
}

static void push(struct pcp *pcp, struct page *page, unsigned int order)
{
	page->kind = PAGE_PCP;
	page->order = (uint8_t)order;
	list_add(&page->list, &pcp->list[order]);
	pcp->count[order]++;
}

static struct page *pop(struct pcp *pcp, unsigned int order)
{
	struct page *page;

	if (list_empty(&pcp->list[order]))
		return NULL;
	page = list_first_entry(&pcp->list[order], struct page, list);
	list_del(&page->list);
	pcp->count[order]--;
	page->kind = PAGE_NONE;
	return page;
}

void pcp_init(struct pcp *pcp)
{
	for (unsigned int order = 0; order <= PCP_MAX_ORDER; order++)
		list_init(&pcp->list[order]);
}

static struct page *zone_take_locked(unsigned int order)
{
	struct page *page = alloc_pages_locked(order);

	if (page)
		zone_count_locked(USE_SLAB, (ptrdiff_t)1 << order);
	return page;
}

static void zone_give_locked(struct page *page, unsigned int order)
{
	zone_count_locked(USE_SLAB, -((ptrdiff_t)1 << order));
	free_pages_locked(page, order);
}

static void refill(struct pcp *pcp, unsigned int order)
{
	struct page *page;

	zone_lock();
	for (unsigned int n = batch_of(order); n > 0 && (page = zone_take_locked(order)); n--)
		push(pcp, page, order);
	zone_unlock();
}

/* The coldest blocks go first. */
static void drain_order(struct pcp *pcp, unsigned int order, unsigned int nr_blocks)
{
	zone_lock();
	while (nr_blocks-- > 0) {
		struct page *page = list_entry(pcp->list[order].prev, struct page, list);

		list_del(&page->list);
		pcp->count[order]--;
		page->kind = PAGE_NONE;
		zone_give_locked(page, order);
	}
	zone_unlock();
}

static struct page *alloc_costly(unsigned int order)
{
	struct page *page;

	zone_lock();
	page = zone_take_locked(order);
	zone_unlock();
	return page;
}

static void free_costly(struct page *page, unsigned int order)
{
	zone_lock();
	zone_give_locked(page, order);
	zone_unlock();
}

struct page *pcp_alloc(struct pcp *pcp, unsigned int order)
{
	struct page *page;

	if (order > PCP_MAX_ORDER)
		return alloc_costly(order);
	page = pop(pcp, order);
	if (page)
		return page;
	refill(pcp, order);
	return pop(pcp, order);
}

void pcp_free(struct pcp *pcp, struct page *page, unsigned int order)
{
	if (order > PCP_MAX_ORDER) {
		free_costly(page, order);
		return;
	}
	push(pcp, page, order);
	if (pcp->count[order] > 2 * batch_of(order))
		drain_order(pcp, order, batch_of(order));
}

void pcp_drain(struct pcp *pcp)
{
	for (unsigned int order = 0; order <= PCP_MAX_ORDER; order++)
		if (pcp->count[order])
			drain_order(pcp, order, pcp->count[order]);
}
