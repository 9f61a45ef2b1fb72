/*
 * clear.h - zeroes in pages that were just handed out, and no more of them than needed.
 *
 * L6. Takes LOCK_ZONE for a moment at a time, inside the gate; clears outside of both, for that may
 * take long.
 */
#ifndef KMALLOC_CLEAR_H
#define KMALLOC_CLEAR_H

#include "mm/mm_types.h"

/* The first `bytes` bytes of a run or area that the zone has just handed out read as zero. */
void clear_touched(struct page *page, size_t bytes);

/* The same of a run from a slot's stock: nothing is known of its zeroes (mm/pcp.h). */
void clear_stocked(struct page *page, size_t bytes);

#endif
