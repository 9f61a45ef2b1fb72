/*
 * mover.h - the descriptor by which frames are moved inside the heap (os/os_move.h).
 *
 * L5. Opened at the first stitch, out of the program's way; every section of the heap is registered
 * with it once and whole. The program may close it, or put another descriptor in its place:
 * then it is opened once more, and given up the second time. A child finds that it has none
 * (struct process_page) and opens its own; the parent's is not closed, since its number may be
 * anything by then.
 *
 * All functions want LOCK_RECLAIM.
 */
#ifndef VMALLOC_MOVER_H
#define VMALLOC_MOVER_H

#include "base/compiler.h"

/*
 * Ready to move: opened and registered. False: it cannot be had, for now or for good. What might
 * kill the process is not tried: where a seccomp filter is in force, unless stitch=uffd says so.
 */
bool mover_ready(void);

/* os_move within the heap, by pfns and pages. -EBADF when there is no mover (any more). */
int mover_move(size_t to, size_t from, size_t nr_pages, bool holes, size_t *nr_moved);

/* Pages may have been swapped out: ask before they are moved, so that nothing is read from disk. */
bool mover_must_ask(void);

/*
 * A whole pageblock may be a huge page. Around a move of one that is: the kernel splits it where
 * the new place has a page table, which lasts when its pages were moved away or dropped in parts.
 */
bool mover_may_be_huge(size_t from);
bool mover_moves_huge(void);
void mover_prepare_huge(size_t to);
/* Ask what it is now, and note that. Takes LOCK_ZONE. */
void mover_note_huge(size_t to);

/* The descriptor is not what it was: forget it. */
void mover_lost(void);

/* Pages of the heap cannot be moved by it: do without for good. */
void mover_give_up(void);

/* Why there is none, for good: -errno; 0 while there may be one. No lock. */
int mover_error(void);

#endif
