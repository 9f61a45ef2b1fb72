/*
 * stitch_cost.h - what moving frames costs here, and what it saves.
 *
 * L5. A moved run costs so much, and so much a page; it saves page faults. How much each takes
 * differs by a factor of ten from machine to machine, and with every thread that runs beside;
 * where page tables are shadowed by a hypervisor even the first access to a moved page does: it
 * is measured in use, as moving averages in nanoseconds, and what has not been used yet is taken
 * from reference figures. LOCK_RECLAIM.
 */
#ifndef VMALLOC_STITCH_COST_H
#define VMALLOC_STITCH_COST_H

#include "base/compiler.h"

/* A moving average; the first measurement takes the reference figure's place. */
struct cost {
	uint32_t ns, nr_measured;
};

/* What went by of late: sums that fade. nr_pages in parts of 1 / PAGES_OF_SHARE, to fade to 0. */
struct cost_total {
	uint64_t ns, nr_pages;
};

struct stitch_costs {
	struct cost run, page;	 /* of a move: per run, and per page of it */
	struct cost touch;	 /* of the first access to a moved page */
	struct cost fresh, huge; /* of a page fault, and of a huge one for each of its pages */
	struct cost purge;	 /* of dropping a page in place of one that is faulted in */
	struct cost remap;	 /* of a run moved out of the heap (vmalloc/gather.h) */
	struct cost repopulated; /* for each page that a fork has left shared, to make it our own */
	struct cost_total batches; /* of moves in the heap, failed ones too; of ordinary pages */
	/*
	 * Of PAGES_OF_SHARE pages that blocks had, so many were never touched: a moving average.
	 * Who does not use what it asks for does not fault it in either: moving saves less.
	 */
	uint32_t untouched;
};

#define PAGES_OF_SHARE 1024u

extern struct stitch_costs stitch_costs;

/* So many runs of so many pages in all took so long. */
void cost_note_moves(size_t nr_runs, size_t nr_pages, uint64_t ns);

/* A batch of runs has moved so many pages, and all of it took so long. */
void cost_note_batch(size_t nr_pages, uint64_t ns);

/*
 * Batches have been worth their time of late, those moves included that found nothing to move.
 * After some dozens of refusals another is tried.
 */
bool cost_allows_batch(bool huge);

/* Of so many free pages, which blocks have had, so many had frames. */
void cost_note_touched(size_t nr_touched, size_t nr_pages);

/* How many of so many fresh pages the program will touch, if it does as it did. */
size_t cost_expect_touched(size_t nr_pages);

/* So many pages took so long; `cost`: a member of stitch_costs. */
void cost_note_pages(struct cost *cost, size_t nr_pages, uint64_t ns);

/*
 * Runs of this length are worth moving, in place of faults of ordinary or of huge pages. What is
 * refused seems a little cheaper the next time, so that it is tried again after a while.
 */
bool cost_allows_moving(size_t nr_pages, bool huge);

/* The shortest of these runs; a very large number: none is. */
size_t cost_least_run(bool huge);

/* As cost_allows_moving without that: what is asked once more in the middle. */
bool cost_is_worth_moving(size_t nr_pages, bool huge);

/*
 * A page of a huge one costs much more than an ordinary one. If so, the next measurement of it
 * weighs as much as all before.
 */
bool cost_finds_huge_dear(void);

/*
 * As cost_note_moves and cost_allows_moving, of moves by mremap: a run costs the same at any
 * length.
 */
void cost_note_remaps(size_t nr_runs, uint64_t ns);
bool cost_allows_remapping(size_t nr_pages);

/* Pages shared with a child are worth being made our own, to be moved. */
bool cost_allows_repopulating(void);

#endif
