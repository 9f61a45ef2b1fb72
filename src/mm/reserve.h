/*
 * reserve.h - resident memory for requests that may not wait (GFP_ATOMIC): no lock, no system call,
 * no page fault, in a signal handler too.
 *
 * L3. Extents of heap pages, taken as page runs and touched when the reserve is filled; they
 * never go back. The page map entry of all their pages is PAGEMAP_RESERVE. An extent is cut into
 * cells of 2 KiB, each with one word: for each of its 32 grains of 64 bytes whether it is taken,
 * and whether it is the last of an object. A small object is taken and freed by one compare and
 * swap. A larger one has whole cells, all taken, with the one end in the last: they are taken
 * from the last down, and freed from the first up, so that at any instant a cell that is taken
 * without an end in it is followed by another of the same object.
 *
 * Counting: nr_free is the number of grains that are not taken, or less while somebody is about to
 * take or has just freed some.
 */
#ifndef MM_RESERVE_H
#define MM_RESERVE_H

#include "mm/mm_types.h"

/*
 * What a request has to leave untouched, by the kernel's marks (__zone_watermark_ok): half of the
 * reserve; three sixteenths of it; nothing.
 */
enum reserve_depth { RESERVE_NOWAIT, RESERVE_ATOMIC, RESERVE_ALL };

#define RESERVE_MAX_BYTES (PAGEBLOCK_PAGES * PAGE_SIZE)
#define RESERVE_ALIGN 64u

/*
 * Lock-free and signal-safe, as are reserve_free and reserve_size. Not zeroed; aligned to 64 and to
 * align, a power of two up to RESERVE_MAX_BYTES. NULL: nothing is left at this depth.
 */
void *reserve_alloc(size_t bytes, size_t align, enum reserve_depth depth);

/*
 * Any address of a page whose page map entry is PAGEMAP_RESERVE. False: no live object starts
 * there.
 */
bool reserve_free(void *object);

/* Usable bytes of the live object that starts there; 0: none does. */
size_t reserve_size(const void *object);

/*
 * Make it at least `bytes` large (0: what min_free_kbytes would be for this heap). Inside the gate;
 * takes LOCK_ZONE. False: less could be had.
 */
bool reserve_fill(size_t bytes);

/* reserve_fill(0) would at least double it. */
bool reserve_is_small(void);

/* In bytes. */
size_t reserve_total(void);
size_t reserve_bytes_free(void);

/* It was filled: who may not wait need not fail for want of it. */
static inline bool reserve_is_filled(void)
{
	return reserve_total() > 0;
}

/* The live object that the address lies in; false: none. While nobody allocates or frees. */
bool reserve_object_at(uintptr_t address, uintptr_t *start, size_t *bytes);

#endif
