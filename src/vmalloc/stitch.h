/*
 * stitch.h - large requests are put together from the frames of scattered free pages.
 *
 * L5. A range of pages that has just been handed out has holes, pages without a frame, which the
 * program would fault in one by one, and elsewhere free pages keep frames that nobody uses. The
 * frames of runs of these are moved into the holes by changing page tables: no copy, no fault,
 * no growth of memory, no further mapping. The pages that they came from are holes now, and a
 * moved frame stays where it is when its block is freed (adopted in place): there is no way back.
 *
 * In this order: whole pageblocks into whole pageblocks (huge pages stay huge, and are moved in no
 * other way), long runs, short runs, until nothing is missing, a bound is reached, or what is
 * left is not worth it (vmalloc/stitch_cost.h). As many free pages are dropped as will still be
 * faulted in then.
 *
 * Without LOCK_ZONE while pages move, and with LOCK_RECLAIM, which no fast path wants.
 */
#ifndef VMALLOC_STITCH_H
#define VMALLOC_STITCH_H

#include "base/compiler.h"

/* Holes that are worth a stitch: 64 KiB. */
#define STITCH_MIN_PAGES 16u
/* Runs that one stitch moves at most: by their costs 2 to 7 ms; a fork waits for it. */
#define STITCH_MAX_RUNS 1024u

/*
 * Fill the holes of a range that the caller has been given, and that the program has not. First
 * with what lies in [spare, spare + nr_spare), which is the caller's, too, and no use to anybody.
 */
void stitch_fill(size_t pfn, size_t nr_pages, size_t spare, size_t nr_spare);

/* Free pages that may be robbed of their frames. */
size_t stitch_count_available(void);

/*
 * LOCK_RECLAIM, unless memory is being given back, which may take long: nobody waits for that for
 * the sake of some page faults. False then.
 */
bool stitch_lock(void);
void stitch_unlock(void);

/* Since the start. LOCK_RECLAIM to write. */
struct stitch_counts {
	size_t requests;     /* ranges into which frames were moved */
	size_t runs, pages;  /* moved */
	size_t ns;	     /* that it took */
	size_t busy;	     /* runs that could not be moved: shared with a child, or pinned */
	size_t repopulated;  /* pages of such runs that were made our own */
	size_t relocated;    /* pages of blocks that realloc has moved */
	size_t purged;	     /* pages dropped in place of those that the program will fault in */
	size_t no_mover;     /* requests: there is no mover */
	_Atomic size_t no_lock;	 /* stitches and pieces of blocks: memory was being given back */
	size_t dear;	     /* run lengths refused for what they cost */
	size_t not_enough;   /* requests that were left with holes for want of frames */
	size_t bounded;	     /* requests that were left with holes by the bounds of one stitch */
	size_t failed;	     /* moves that failed in other ways */
};

extern struct stitch_counts stitch_counts;

#endif
