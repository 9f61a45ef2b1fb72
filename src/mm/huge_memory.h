/*
 * huge_memory.h - which parts of the heap the kernel may back with huge pages.
 *
 * L3. LOW never, and everything lies there until the heap has proved to be large. Then HIGH is
 * advised to be huge, and slabs and page runs grow there in whole pageblocks, each of which
 * costs one fault instead of 512. Small processes have no HIGH.
 *
 * Areas lie in HIGH if huge pages suit them: what their last one would waste is little, and they
 * are no larger than what has been proved, for who asks for very much may use it sparsely. Where
 * the system has huge pages always, the program would have them there without us: no proof.
 *
 * The first page taken from a free pageblock of HIGH brings the frames of all: from then on its
 * pages are MAYBE (huge_take_locked). Dropping a part of a huge page splits it: reclaim drops
 * whole ones first (mm/reclaim.h).
 */
#ifndef MM_HUGE_MEMORY_H
#define MM_HUGE_MEMORY_H

#include "mm/zone.h"

/* Read the system's setting. Boot only. */
void huge_boot(void);

/* Address space was reserved for the heap: no part of it has huge pages without being advised. */
void huge_advise_reserved(void *address, size_t bytes);

/* It was opened for this part. */
void huge_advise_opened(enum range_part part, void *address, size_t bytes);

/* The part of the heap in which the buddy grows. LOCK_ZONE. May advise all of HIGH. */
enum range_part huge_buddy_part_locked(void);

/* The part in which an area of so many pages should lie. LOCK_ZONE. */
enum range_part huge_area_part_locked(size_t nr_pages);

/* Part of this free pageblock of the buddy is about to be handed out. LOCK_ZONE. */
void huge_take_locked(struct pageblock *block);

#endif
