/* page_alloc.c - see page_alloc.h. */
#include "mm/page_alloc.h"

#include "core/printk.h"
#include "mm/huge_memory.h"
#include "mm/range.h"
#include "mm/residency.h"

/* Free units that stay with the buddy, so that one slab does not import and export for ever. */
#define UNITS_KEPT 1u

static void add_to_free_list(struct page *page, unsigned int order, bool at_tail)
{
	size_t pfn = page_to_pfn(page);
	struct free_area *area = &pageblock_node(pfn_to_pageblock(pfn))->free_area[order];
	size_t nr_touched = residency_count_touched(pfn, (size_t)1 << order);
	struct list_head *head = &area->free_list[nr_touched ? FREE_TOUCHED : FREE_HOLE];

	WRITE_ONCE(page->kind, PAGE_BUDDY);
	WRITE_ONCE(page->order, (uint8_t)order);
	if (at_tail)
		list_add_tail(&page->list, head);
	else
		list_add(&page->list, head);
	area->nr_free++;
}

static void del_from_free_list(struct page *page)
{
	pageblock_node(pfn_to_pageblock(page_to_pfn(page)))->free_area[page->order].nr_free--;
	__list_del_entry(&page->list);
	WRITE_ONCE(page->kind, PAGE_NONE);
}

static size_t buddy_of(size_t pfn, unsigned int order)
{
	return pfn ^ ((size_t)1 << order);
}

/* The block at pfn is free at exactly this order. Units are aligned, so pfn is always opened. */
static bool is_free_block(size_t pfn, unsigned int order)
{
	const struct page *page = pfn_to_page(pfn);

	return READ_ONCE(page->kind) == PAGE_BUDDY && READ_ONCE(page->order) == order;
}

/*
 * Freeing the block's buddy, or the buddy of what the two would make, is likely to come next:
 * then the block goes to the tail, where it waits longest before it is split.
 */
static bool buddy_merge_likely(size_t pfn, unsigned int order)
{
	size_t higher;

	if (order >= MAX_PAGE_ORDER - 1)
		return false;
	higher = pfn & buddy_of(pfn, order);
	return is_free_block(buddy_of(higher, order + 1), order + 1);
}

static void export_unit(struct page *page)
{
	size_t pfn = page_to_pfn(page);

	for (size_t block = 0; block < UNIT_PAGEBLOCKS; block++)
		pfn_to_pageblock(pfn + block * PAGEBLOCK_PAGES)->kind = PAGEBLOCK_NONE;
	range_free_locked(pfn / UNIT_PAGES, 1);
}

/* Merge upwards and put the block on a list, or return a whole unit. Residency is up to date. */
static void free_one_page(size_t pfn, unsigned int order)
{
	const struct node *node;

	while (order < MAX_PAGE_ORDER && is_free_block(buddy_of(pfn, order), order)) {
		del_from_free_list(pfn_to_page(buddy_of(pfn, order)));
		pfn &= buddy_of(pfn, order);
		order++;
	}
	node = pageblock_node(pfn_to_pageblock(pfn));
	if (order == MAX_PAGE_ORDER && node->free_area[order].nr_free >= UNITS_KEPT)
		export_unit(pfn_to_page(pfn));
	else
		add_to_free_list(pfn_to_page(pfn), order, buddy_merge_likely(pfn, order));
}

/* Put the upper halves back until the block has the wanted order; keep the lowest. */
static void expand(struct page *page, unsigned int order, unsigned int from_order)
{
	while (from_order > order) {
		from_order--;
		add_to_free_list(page + ((size_t)1 << from_order), from_order, false);
	}
}

static struct page *rmqueue_from(enum free_list list, unsigned int order)
{
	for (unsigned int o = order; o < NR_PAGE_ORDERS; o++) {
		struct list_head *head = &zone_node_tried()->free_area[o].free_list[list];
		struct page *page = list_first_entry_or_null(head, struct page, list);

		if (!page)
			continue;
		del_from_free_list(page);
		if (o >= PAGEBLOCK_ORDER)
			huge_take_locked(pfn_to_pageblock(page_to_pfn(page)), order);
		expand(page, order, o);
		return page;
	}
	return NULL;
}

static bool import_unit(void)
{
	size_t unit, pfn;

	if (!range_take_touched_locked(&unit) &&
	    !range_alloc_locked(RANGE_LOW, 1, 1, &unit))
		return false;
	pfn = unit * UNIT_PAGES;
	for (size_t block = 0; block < UNIT_PAGEBLOCKS; block++)
		pfn_to_pageblock(pfn + block * PAGEBLOCK_PAGES)->kind = PAGEBLOCK_BUDDY;
	add_to_free_list(pfn_to_page(pfn), MAX_PAGE_ORDER, false);
	return true;
}

/* Touched blocks of any order first: they save a page fault each. */
static struct page *rmqueue(unsigned int order)
{
	struct page *page = rmqueue_from(FREE_TOUCHED, order);

	return page ? page : rmqueue_from(FREE_HOLE, order);
}

struct page *alloc_pages_locked(unsigned int order)
{
	struct page *page = rmqueue(order);

	VM_BUG_ON(!lock_is_held(LOCK_ZONE));
	if (!page && import_unit())
		page = rmqueue(order);
	if (page)
		residency_note_taken(page_to_pfn(page), (size_t)1 << order);
	return page;
}

void free_pages_locked(struct page *page, unsigned int order)
{
	size_t pfn = page_to_pfn(page);

	VM_BUG_ON(!lock_is_held(LOCK_ZONE));
	BUG_ON(page->kind == PAGE_BUDDY || !is_aligned(pfn, (size_t)1 << order));
	residency_note_freed(pfn, (size_t)1 << order);
	WRITE_ONCE(page->kind, PAGE_NONE);
	free_one_page(pfn, order);
}

static void drain_node_locked(struct node *node)
{
	for (unsigned int list = 0; list < NR_FREE_LISTS; list++) {
		struct list_head *units = &node->free_area[MAX_PAGE_ORDER].free_list[list];

		while (!list_empty(units)) {
			struct page *page = list_first_entry(units, struct page, list);

			del_from_free_list(page);
			export_unit(page);
		}
	}
}

void buddy_drain(void)
{
	zone_lock();
	for (unsigned int nid = 0; nid < zone.nr_nodes; nid++)
		drain_node_locked(&zone.nodes[nid]);
	zone_unlock();
}

void buddy_isolate_locked(struct page *page)
{
	residency_note_taken(page_to_pfn(page), (size_t)1 << page->order);
	del_from_free_list(page);
}

void buddy_unisolate_locked(struct page *page, unsigned int order)
{
	size_t pfn = page_to_pfn(page);

	zone_add_free_touched(residency_count_touched(pfn, (size_t)1 << order));
	free_one_page(pfn, order);
}
