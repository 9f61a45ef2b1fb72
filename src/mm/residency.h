/*
 * residency.h - which free pages have a frame behind them.
 *
 * L3. The three states are in mm_types.h. All functions want LOCK_ZONE, except where said.
 * Only what a system call reported as done makes a page HOLE again.
 */
#ifndef MM_RESIDENCY_H
#define MM_RESIDENCY_H

#include "mm/zone.h"

/* Pages become free: what the program did with them is not known, so they are MAYBE now. */
void residency_note_freed(size_t pfn, size_t nr_pages);

/* Pages become free in the states that they are in: frames of some were moved elsewhere. */
void residency_note_vacated(size_t pfn, size_t nr_pages);

/* Free pages are handed out. Their state stays, for whoever asks whether they are zero. */
void residency_note_taken(size_t pfn, size_t nr_pages);

/* Pages that were taken are given to the program, which will fault in those that are HOLE. */
void residency_note_used(size_t pfn, size_t nr_pages);

/* Pages that are in use, or isolated, have got frames: from where they were before, say. */
void residency_note_filled(size_t pfn, size_t nr_pages);

/* Pages that are not free (isolated) were dropped by the kernel, or their frames have moved. */
void residency_note_purged(size_t pfn, size_t nr_pages);

/*
 * What mincore said about pages that are not free (isolated): bit 0 of a page's byte means that it
 * has a frame, which proves a MAYBE page RESIDENT. A clear bit proves nothing (it may be
 * swapped out). Returns how many are RESIDENT.
 */
size_t residency_note_resident(size_t pfn, size_t nr_pages, const unsigned char *mincore);

/* How many of the pages are not HOLE. */
size_t residency_count_touched(size_t pfn, size_t nr_pages);

/* How many are HOLE. Takes LOCK_ZONE itself. */
size_t residency_count_holes(size_t pfn, size_t nr_pages);

/*
 * The first stretch of pages in [pfn, pfn + nr_pages) that are not HOLE, or are HOLE (`touched`
 * false); *length 0 when there is none. Returns its first pfn.
 */
size_t residency_find(size_t pfn, size_t nr_pages, bool touched, size_t *length);

#endif
