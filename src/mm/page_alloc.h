/*
 * page_alloc.h - the buddy: free blocks of 2^order pages, orders 0..10.
 *
 * L3. Serves slabs (low orders) and pageblocks for page runs (order 9). Whole units come from
 * and go back to the range allocator. All functions want LOCK_ZONE, except where said.
 *
 * Invariants: a free block of order o is aligned to 2^o pages; the buddies of a free block
 * are not both free at the same order, except at MAX_PAGE_ORDER; a block is on the
 * FREE_HOLE list exactly when none of its pages is touched.
 * Follows __free_one_page, expand and __rmqueue_smallest of the kernel's mm/page_alloc.c.
 */
#ifndef MM_PAGE_ALLOC_H
#define MM_PAGE_ALLOC_H

#include "mm/zone.h"

/* A block of the node tried: 2^order pages, of kind PAGE_NONE. NULL: no memory. */
struct page *alloc_pages_locked(unsigned int order);

/* Give back what alloc_pages_locked returned. */
void free_pages_locked(struct page *page, unsigned int order);

/* Give whole free units, one of which stays here, back to the range allocator. Takes LOCK_ZONE. */
void buddy_drain(void);

/*
 * Reclaim: take a free block from its list without making it count as used, and put it
 * back with whatever residency it has by then.
 */
void buddy_isolate_locked(struct page *page);
void buddy_unisolate_locked(struct page *page, unsigned int order);

#endif
