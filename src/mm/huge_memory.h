/*
 * huge_memory.h - which parts of the heap are backed with huge pages.
 *
 * L3. In LOW they are forbidden, and small processes live there altogether. If the heap has proved
 * to be large, each fresh pageblock that the buddy takes is made one huge page: allowed for the
 * moment, touched, and forbidden again, which it survives. So one fault does for 512, the heap
 * stays one mapping, and khugepaged does not bring back what reclaim has dropped of one.
 *
 * For slabs, that is: page runs stay on ordinary pages, unless thp=always, since what becomes free
 * between them is what large requests are stitched from (vmalloc/stitch.h), and no part of a huge
 * page can be moved.
 *
 * Areas are the program's to touch. They lie in HIGH, where huge pages are asked for, if these suit
 * them: what their last one would waste is little, and they are no larger than what has been
 * proved, for who asks for very much may use it sparsely. Where the system has huge pages
 * always, the program would have them there without us: no proof. But where a huge page has been
 * measured to cost more than the ordinary ones in it (a hypervisor that has taken free memory away
 * must find each of its pages first), areas go without for a while.
 *
 * Dropping a part of a huge page splits it: reclaim drops whole ones first (mm/reclaim.h).
 */
#ifndef MM_HUGE_MEMORY_H
#define MM_HUGE_MEMORY_H

#include "mm/zone.h"

/* Read the system's setting. Boot only. */
void huge_boot(void);

/* Address space was reserved for the heap. */
void huge_advise_reserved(void *address, size_t bytes);

/* It was opened for this part. */
void huge_advise_opened(enum range_part part, void *address, size_t bytes);

/* A mapping was made for a block that has grown to fill it, nearly. */
void huge_advise_mapping(void *address, size_t bytes);

/* The part in which an area of so many pages should lie. LOCK_ZONE. */
enum range_part huge_area_part_locked(size_t nr_pages);

/* Huge pages are dear here at present: the next so many areas go without. */
void huge_refrain(unsigned int nr_areas);

/* An area was made. LOCK_ZONE. */
void huge_note_area_locked(void);

/* An area of so many pages fills its last huge page, nearly. */
bool huge_suits_area(size_t nr_pages);

/*
 * 2^order pages of this free pageblock of the buddy are about to be handed out. LOCK_ZONE. A page
 * fault under the lock, as any growth.
 */
void huge_take_locked(struct pageblock *block, unsigned int order);

#endif
