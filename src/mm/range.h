/*
 * range.h - the one owner of the address space: free ranges of 4 MiB units, by address.
 *
 * L3. Two augmented trees for each node of memory, one for each part of the heap; their own nodes
 * lie in the pageblocks of the ranges' first units. The buddy takes and returns single units, areas
 * take and return many. Memory is taken of the node that is being tried (zone.h).
 * LOW is filled from its lowest address, HIGH from its highest: both stay packed at the end
 * from which they grow.
 *
 * All functions want LOCK_ZONE.
 * Invariants: ranges do not touch each other (they would have been merged) nor overlap;
 * subtree_max == max(nr_units, children's subtree_max).
 * Follows find_vmap_lowest_match and merge_or_add_vmap_area of the kernel's mm/vmalloc.c.
 */
#ifndef MM_RANGE_H
#define MM_RANGE_H

#include "mm/zone.h"

/*
 * Take nr_units units, the first a multiple of align_units (a power of two), opening more of the
 * heap when no free range fits. False when that fails.
 */
bool range_alloc_locked(enum range_part part, size_t nr_units, size_t align_units, size_t *unit);

/*
 * Take units of this part for nr_pages pages, most of which are touched already, all of them if
 * `full`, and as few as can be of those behind them. Looks at the first ranges only. False when
 * there is nothing of the kind.
 */
bool range_take_resident_locked(enum range_part part, size_t nr_pages, bool full, size_t *unit);

/*
 * Take units of this part for nr_pages pages, as few of which as can be are touched. Looks at the
 * first ranges only; if these are all and a quarter would be, it tries to open more of the heap.
 * False: there is no place.
 */
bool range_take_holes_locked(enum range_part part, size_t nr_pages, size_t *unit);

/*
 * Take one unit of LOW that has touched pages: it costs fewer page faults than another. False when
 * there is none among the first few ranges.
 */
bool range_take_touched_locked(size_t *unit);

/*
 * Take exactly these units if they are the first of a free range of this part, or would be if LOW
 * were longer, and of the node of the unit before them, which is the caller's.
 */
bool range_claim_locked(enum range_part part, size_t unit, size_t nr_units);

/* Take these units, which are part of the free range. */
void range_clip_locked(struct pageblock *range, size_t unit, size_t nr_units);

/* Return units; the part is that of the first. All of them were taken from one part. */
void range_free_locked(size_t unit, size_t nr_units);

/*
 * The free range after `range` in address order, or NULL. NULL: the first one, of the node that is
 * being tried.
 */
struct pageblock *range_next_locked(enum range_part part, struct pageblock *range);
struct pageblock *range_first_locked(const struct node *of, enum range_part part);

static inline size_t range_unit(const struct pageblock *range)
{
	return pageblock_to_pfn(range) / UNIT_PAGES;
}

#endif
