/*
 * reserve.h - resident memory for requests that may not wait (GFP_ATOMIC): no lock, no system call,
 * no page fault, in a signal handler too.
 *
 * L3. A few extents of heap pages, taken as runs or areas and touched when the reserve is filled;
 * they never go back. All page map entries of an extent are PAGEMAP_RESERVE. Each page has two
 * words of a bit for each of its 64 grains of 64 bytes: which grains are taken, and which are the
 * last of an object. An object is taken by a compare and swap of one word, several pages by one
 * each.
 *
 * Invariants: the last grain of a live object has its `end` bit, and no other grain; an object of
 * more than a page starts at a page, has all grains of its pages taken, and its end in its last
 * page; nr_free is the number of grains not taken, or less while somebody is about to take some.
 */
#ifndef MM_RESERVE_H
#define MM_RESERVE_H

#include "mm/mm_types.h"

/*
 * How much of the reserve a request may leave untouched, of the kernel's marks (reference:
 * __zone_watermark_ok): half of it; 3/16; nothing.
 */
enum reserve_depth { RESERVE_NOWAIT, RESERVE_ATOMIC, RESERVE_ALL };

/*
 * Lock-free and signal-safe, as reserve_free. Not zeroed; align: a power of two up to
 * UNIT_BYTES; bytes up to UNIT_BYTES. NULL: nothing is left at this depth.
 */
void *reserve_alloc(size_t bytes, size_t align, enum reserve_depth depth);

/*
 * False, and nothing happens, when no live object starts there. The page map's entry is
 * PAGEMAP_RESERVE.
 */
bool reserve_free(void *object);

/* Usable bytes of the live object that starts there; 0: none does. */
size_t reserve_size(const void *object);

/*
 * Make it at least `bytes` large (0: what the kernel's min_free_kbytes would be for this heap).
 * Inside the gate. False: less could be had.
 */
bool reserve_fill(size_t bytes);

/* Anything was ever filled: one load, for whoever fills it on first use. */
bool reserve_is_filled(void);

/* In bytes, for reports. */
size_t reserve_total(void);
size_t reserve_nr_free(void);

/* Every live object; for the leak check, while all stands still. */
void reserve_visit(void (*fn)(void *context, uintptr_t start, size_t bytes), void *context);

#endif
