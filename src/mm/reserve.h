/*
 * reserve.h - resident memory for requests that may not wait (GFP_ATOMIC): no lock, no system call,
 * no page fault, in a signal handler too.
 *
 * L3. A pool (mm/grain_pool.h) of heap pages, taken as page runs and touched when the reserve is
 * filled; they never go back. The page map entry of all of them is PAGEMAP_RESERVE.
 */
#ifndef MM_RESERVE_H
#define MM_RESERVE_H

#include "mm/grain_pool.h"

/*
 * What a request has to leave untouched, by the kernel's marks (__zone_watermark_ok): half of the
 * reserve; three sixteenths of it; nothing.
 */
enum reserve_depth { RESERVE_NOWAIT, RESERVE_ATOMIC, RESERVE_ALL };

#define RESERVE_MAX_BYTES (PAGEBLOCK_PAGES * PAGE_SIZE)
#define RESERVE_ALIGN GRAIN_ALIGN

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

/* In a child that a thread found itself in: another, which it has not, may have been growing it. */
void reserve_after_fork(void);

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
