/*
 * decay.h - free pages go back to the system while the program runs.
 *
 * L3. Freed pages stay for a while, since the next allocation is likely to want them and a page
 * fault is the dearest thing there is. Two watermarks bound what stays:
 *
 *	free pages with frames	what is done, by whoever is in a slow path
 *	up to WMARK_LOW		nothing
 *	up to WMARK_HIGH	pageblocks into which nothing was freed for params.decay_ms are
 *				dropped, in instalments by the time that has passed
 *	above, up to the most	the same, as long as it is not more than 8 times params.retain
 *	that was ever in use
 *	above			the excess is dropped at once, unless none of it could be
 *				a moment ago (locked memory)
 *
 * And so it is when pages in use and free pages with frames are together more than the most that
 * was ever in use: free pages that the program's new sizes cannot be made of shall not add to it.
 * Pages of large blocks that are not expected to be touched (vmalloc/sparse.h) are not in that.
 *
 * A thread that ends takes some of the free pages with it, fewer than two in a hundredth of a
 * second: the others may never want so many.
 *
 * A hand goes round over the pageblocks, so that what was freed long ago goes first. WMARK_HIGH
 * rises by what had to be faulted in again soon after it was dropped (a program that frees and
 * allocates the same memory by turns) and falls back with time to params.retain.
 */
#ifndef MM_DECAY_H
#define MM_DECAY_H

#include "mm/zone.h"

/* Beyond the peak: worth a step. A small heap is to stay small, a large one has large steps. */
static inline size_t decay_batch_pages(void)
{
	return max_size(8, min_size(zone_peak_pages() / 512, 64));
}

/* There may be something to do. Racy and cheap. */
static inline bool decay_is_due(void)
{
	size_t nr_free = READ_ONCE(zone.nr_free_touched);

	return nr_free > READ_ONCE(zone.watermark[WMARK_LOW]) || READ_ONCE(zone.nr_kept_outside) ||
	       nr_free > READ_ONCE(zone.nr_free_in_peak) + READ_ONCE(zone.nr_free_beyond) +
				 2 * decay_batch_pages();
}

/*
 * Drop so many free pages, the oldest first, in place of others that are about to be faulted in.
 * LOCK_RECLAIM. Returns how many were dropped.
 */
size_t decay_drop_locked(size_t nr_pages);

/* A thread has left its slot. Takes LOCK_RECLAIM, unless somebody has it. */
void decay_slot_left(void);

/* Do it, unless it was done just now or somebody else is at it. Takes LOCK_RECLAIM. */
void decay_step(void);

#endif
