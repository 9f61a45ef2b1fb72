/* stitch.c - see stitch.h. */
#include "vmalloc/stitch.h"

#include <errno.h>

#include "core/memcheck.h"
#include "core/params.h"
#include "mm/decay.h"
#include "mm/huge_memory.h"
#include "mm/residency.h"
#include "os/os.h"
#include "os/os_move.h"
#include "slab/slot.h"
#include "vmalloc/mover.h"
#include "vmalloc/stitch_cost.h"
#include "vmalloc/stitch_source.h"

/* Of one stitch: what is moved may never be used. */
#define MAX_PAGES (MIB(64) / PAGE_SIZE)
/* The shortest runs: 16 KiB, and where other threads' processors must be told 64 KiB. */
#define MIN_RUN_ALONE 4u
#define MIN_RUN_THREADED 16u
#define LONG_RUN 64u
/* Free pages are left for small allocations: so many, and a share of what is in use. */
#define RESERVE_PAGES (MIB(4) / PAGE_SIZE)
#define RESERVE_SHARE 32u
/* Once in so many stitches a few pages are faulted in, and a few touched, to time that. */
#define SAMPLE_INTERVAL 32u
/* What moving has taken, over that of timing a huge page, which is long to clear. */
#define HUGE_SAMPLE_SHARE 20u
/* What one takes, before one was timed. */
#define HUGE_SAMPLE_NS 1000000u
/* Where nothing is moved they would be faulted in in any case: each time for huge pages. */
#define SAMPLE_INTERVAL_UNMOVED 8u
/* So many areas go without huge pages that are dear, before one is tried again. */
#define NR_REFRAINING 64u
#define SAMPLE_PAGES 8u
/* Runs with pages that have no frame, after which a stitch that moves little ends. */
#define MAX_THIN_RUNS 16u
/* In a row, and without a page moved. */
#define MAX_RETRIES 8u
/* Moves that failed for no reason that we know, before we do without for good. */
#define MAX_FAILURES 16u

struct stitch_counts stitch_counts;

struct stitch {
	size_t pfn, end;	/* the destination */
	size_t hole, nr_hole;	/* where the next page goes, and how many more */
	size_t nr_missing;	/* holes of the destination */
	size_t nr_budget;	/* pages that may still be moved */
	size_t nr_moved;	/* pages */
	unsigned int nr_runs;	/* moves that have moved something */
	unsigned int nr_thin;	/* that have met pages without a frame */
	bool whole;		/* whole pageblocks are moved into whole pageblocks */
	bool no_high;		/* there are huge pages among the sources in HIGH */
	bool clean;		/* nothing but moving took time in this batch */
	bool broken;		/* the mover failed, or it is no use */
	bool sampling;		/* what the first access to moved pages takes */
};

/* Reports read it without a lock. */
static void count(size_t *counter, size_t n)
{
	WRITE_ONCE(*counter, *counter + n);
}

/* --- the destination ------------------------------------------------------------------------- */

/* The first hole in [pfn, end) as long as it goes. */
static bool find_hole(struct stitch *st, size_t pfn)
{
	zone_lock();
	st->hole = residency_find(pfn, st->end - pfn, false, &st->nr_hole);
	zone_unlock();
	return st->nr_hole;
}

/* The first pageblock from pfn on that is a hole altogether. */
static bool find_whole_hole(struct stitch *st, size_t pfn)
{
	size_t nr_touched = 1;

	pfn = align_up(pfn, PAGEBLOCK_PAGES);
	zone_lock();
	for (; nr_touched && pfn + PAGEBLOCK_PAGES <= st->end; pfn += PAGEBLOCK_PAGES) {
		nr_touched = residency_count_touched(pfn, PAGEBLOCK_PAGES);
		st->hole = pfn;
	}
	zone_unlock();
	st->nr_hole = nr_touched ? 0 : PAGEBLOCK_PAGES;
	return st->nr_hole;
}

static bool next_hole(struct stitch *st)
{
	if (st->nr_hole)
		return true;
	return st->whole ? find_whole_hole(st, st->hole) : find_hole(st, st->hole);
}

/* From its first page on. */
static void rewind_holes(struct stitch *st, bool whole)
{
	st->whole = whole;
	st->hole = st->pfn;
	st->nr_hole = 0;
}

static void pass_over_hole(struct stitch *st, size_t nr_pages)
{
	nr_pages = min_size(nr_pages, st->nr_hole);
	st->hole += nr_pages;
	st->nr_hole -= nr_pages;
	st->nr_missing -= min_size(st->nr_missing, nr_pages);
}

/* --- moving a run -------------------------------------------------------------------------- */

/* Write to pages that have just been moved into the hole. */
static void sample_touch(struct stitch *st, size_t nr_pages)
{
	uint64_t start = os_clock_ns();

	for (size_t i = 0; i < nr_pages; i++) {
		volatile char *byte = pfn_to_virt(st->hole + i);

		*byte = *byte;
	}
	cost_note_pages(&stitch_costs.touch, nr_pages, os_clock_ns() - start);
	st->sampling = st->clean = false;
}

/* The first nr_pages of `from` are in the hole now. */
static void note_moved(struct stitch *st, size_t from, size_t nr_pages)
{
	if (st->sampling && !st->whole && nr_pages >= SAMPLE_PAGES)
		sample_touch(st, nr_pages);
	zone_lock();
	residency_note_filled(st->hole, nr_pages);
	residency_note_purged(from, nr_pages);
	WRITE_ONCE(zone.nr_holes_filled, zone.nr_holes_filled + nr_pages);
	zone_unlock();
	pass_over_hole(st, nr_pages);
	st->nr_moved += nr_pages;
	st->nr_budget -= min_size(st->nr_budget, nr_pages);
	st->nr_runs++;
}

/* Drop pages of a source. */
static void purge(size_t pfn, size_t nr_pages)
{
	if (os_purge(pfn_to_virt(pfn), nr_pages * PAGE_SIZE))
		return;
	zone_lock();
	residency_note_purged(pfn, nr_pages);
	zone_unlock();
}

/* A fault would bring a huge page. */
static bool is_for_huge_pages(const struct stitch *st)
{
	return pfn_to_pageblock(st->pfn)->part == RANGE_HIGH;
}

static bool is_worth_moving(const struct stitch *st, size_t nr_pages)
{
	return params.stitch == STITCH_UFFD ||
	       cost_is_worth_moving(nr_pages, is_for_huge_pages(st));
}

static size_t min_run(void)
{
	return slot_count_held() > 1 ? MIN_RUN_THREADED : MIN_RUN_ALONE;
}

/* The first of at least so many pages in a row that have frames. */
static size_t find_resident(const unsigned char *resident, size_t nr_pages, size_t min_pages,
			    size_t *length)
{
	size_t first, page = 0;

	while (page < nr_pages) {
		while (page < nr_pages && !(resident[page] & 1))
			page++;
		for (first = page; page < nr_pages && resident[page] & 1;)
			page++;
		*length = page - first;
		if (*length >= min_pages)
			return first;
	}
	*length = 0;
	return nr_pages;
}

static size_t count_resident(const unsigned char *resident, size_t nr_pages)
{
	size_t nr_resident = 0;

	for (size_t page = 0; page < nr_pages; page++)
		nr_resident += resident[page] & 1;
	return nr_resident;
}

/*
 * Ask which pages of the run have frames, and drop all in front of the first long stretch of them:
 * what has none, whatever mincore does not tell of, and what is scattered too thinly. That is a
 * hole from now on. *nr_resident: the stretch's length. Returns how many were dropped.
 */
static size_t resolve(size_t pfn, size_t nr_pages, size_t *nr_resident)
{
	unsigned char resident[PAGEBLOCK_PAGES];
	size_t nr_passed = 1;

	*nr_resident = 0;
	if (!os_mincore(pfn_to_virt(pfn), nr_pages * PAGE_SIZE, resident)) {
		cost_note_touched(count_resident(resident, nr_pages), nr_pages);
		nr_passed = find_resident(resident, nr_pages, min_run(), nr_resident);
	}
	if (nr_passed)
		purge(pfn, nr_passed);
	return nr_passed;
}

/*
 * Since a fork the child has these frames, too, or has had: one of us must copy, unless the child
 * is gone. Or a device uses the page. Returns false when the run is to be left.
 */
static bool make_our_own(size_t pfn, size_t nr_pages)
{
	uint64_t start;

	count(&stitch_counts.busy, 1);
	if (!cost_allows_repopulating()) {
		purge(pfn, nr_pages);
		return false;
	}
	start = os_clock_ns();
	if (os_populate(pfn_to_virt(pfn), nr_pages * PAGE_SIZE))
		return false;
	cost_note_pages(&stitch_costs.repopulated, nr_pages, os_clock_ns() - start);
	count(&stitch_counts.repopulated, nr_pages);
	return true;
}

/* It has frames: it is no hole for who comes after. */
static void note_taken_hole(struct stitch *st, size_t nr_pages)
{
	nr_pages = min_size(nr_pages, st->nr_hole);
	zone_lock();
	residency_note_filled(st->hole, nr_pages);
	zone_unlock();
	pass_over_hole(st, nr_pages);
}

/* What is wrong with the mover itself. */
static void note_failure(struct stitch *st, int error)
{
	count(&stitch_counts.failed, 1);
	if (error == -EBADF || error == -ENOTTY) {
		mover_lost();
		st->broken = true;
	}
	if (error == -ENOMEM)
		st->broken = true;
	if (stitch_counts.failed >= MAX_FAILURES && !stitch_counts.pages && !st->nr_moved)
		mover_give_up();
}

/* A run with pages that have no frame. Too many for what they bring, or nobody uses such. */
static void note_thin_run(struct stitch *st)
{
	if (++st->nr_thin > MAX_THIN_RUNS && st->nr_moved < st->nr_thin * min_run())
		st->broken = true;
	if (!is_worth_moving(st, LONG_RUN))
		st->broken = true;
}

/*
 * A move of nr_pages ended at the first page of the run, for this reason. Returns how many pages of
 * the run to pass over.
 */
static size_t handle_error(struct stitch *st, int error, struct source_run run, size_t nr_pages,
			   unsigned int *nr_retries)
{
	size_t nr_resident, nr_passed;

	st->clean = false;
	switch (error) {
	case -ENOENT:
		nr_passed = resolve(run.pfn, run.nr_pages, &nr_resident);
		note_thin_run(st);
		return nr_passed ? nr_passed : 1; /* it may have come back from disk */
	case -EEXIST: /* locked memory; what lies behind an area's end in its last huge page */
		note_taken_hole(st, PAGEBLOCK_PAGES - st->hole % PAGEBLOCK_PAGES);
		return 0;
	case -EBUSY:
		if (*nr_retries || !make_our_own(run.pfn, nr_pages))
			return nr_pages;
		++*nr_retries;
		return 0;
	case -EAGAIN:
		return ++*nr_retries < MAX_RETRIES ? 0 : nr_pages;
	default:
		note_failure(st, error);
		return nr_pages;
	}
}

static bool is_exhausted(const struct stitch *st)
{
	return st->nr_runs >= STITCH_MAX_RUNS || !st->nr_budget || !st->nr_missing || st->broken;
}

/* Up to so many pages of the run, from the first that can be moved on, where it begins then. */
static size_t nr_movable(struct source_run *run, size_t nr_pages)
{
	size_t nr_resident, nr_passed;

	if (!mover_must_ask())
		return min_size(run->nr_pages, nr_pages);
	nr_passed = resolve(run->pfn, run->nr_pages, &nr_resident);
	run->pfn += nr_passed;
	run->nr_pages -= nr_passed;
	return min_size(nr_resident, nr_pages);
}

/* One move. Returns how many pages of the run are dealt with. */
static size_t move_some(struct stitch *st, struct source_run run, size_t nr_pages,
			unsigned int *nr_retries)
{
	size_t nr_moved;
	int error = mover_move(st->hole, run.pfn, nr_pages, false, &nr_moved);

	if (!nr_moved)
		return handle_error(st, error, run, nr_pages, nr_retries);
	if (!mover_must_ask() && !st->whole)
		cost_note_touched(nr_moved, nr_moved); /* else resolve() has */
	note_moved(st, run.pfn, nr_moved);
	*nr_retries = 0;
	return nr_moved;
}

static void move_run(struct stitch *st, struct source_run run)
{
	unsigned int nr_retries = 0;

	while (run.nr_pages && !is_exhausted(st) && next_hole(st)) {
		size_t nr_pages = nr_movable(&run, min_size(st->nr_hole, st->nr_budget));
		size_t nr_done = nr_pages ? move_some(st, run, nr_pages, &nr_retries) : 0;

		run.pfn += nr_done;
		run.nr_pages -= nr_done;
	}
}

/* A pageblock into a hole that is one. */
static void move_whole(struct stitch *st, struct source_run run)
{
	bool huge = mover_may_be_huge(run.pfn);
	size_t hole;

	if (st->nr_budget < PAGEBLOCK_PAGES || (huge && !mover_moves_huge()))
		return;
	if (st->nr_hole < PAGEBLOCK_PAGES)
		st->nr_hole = 0; /* what a run that failed has left of one */
	if (!next_hole(st))
		return;
	hole = st->hole;
	if (huge)
		mover_prepare_huge(hole);
	move_run(st, run);
	if (huge && st->hole > hole)
		mover_note_huge(hole);
}

/*
 * Part of a huge page must not be moved: it would be split. In HIGH only the kernel knows; once
 * it has said so, it is not asked again.
 */
static bool may_be_moved(struct stitch *st, struct source_run run)
{
	const struct pageblock *block = pfn_to_pageblock(run.pfn);

	if (block->part == RANGE_LOW)
		return !READ_ONCE(block->huge);
	st->clean = false;
	if (!st->no_high)
		st->no_high = os_has_huge_page(pfn_to_virt(align_down(run.pfn, PAGEBLOCK_PAGES)),
					       PAGEBLOCK_PAGES * PAGE_SIZE) != 0;
	return !st->no_high;
}

/* --- batches ---------------------------------------------------------------------------------- */

static void move_runs(struct stitch *st, const struct source_run *runs, unsigned int nr_runs)
{
	size_t nr_moved = st->nr_moved;
	unsigned int nr_before = st->nr_runs;
	uint64_t start = os_clock_ns(), ns;

	st->clean = !st->whole;
	for (unsigned int i = 0; i < nr_runs && !is_exhausted(st); i++) {
		if (st->whole)
			move_whole(st, runs[i]);
		else if (may_be_moved(st, runs[i]))
			move_run(st, runs[i]);
	}
	ns = os_clock_ns() - start;
	count(&stitch_counts.ns, ns);
	if (st->clean)
		cost_note_moves(st->nr_runs - nr_before, st->nr_moved - nr_moved, ns);
	if (!st->whole)
		cost_note_batch(st->nr_moved - nr_moved, ns);
}

/* Runs of at least so many pages, as long as there are some. */
static void stitch_runs(struct stitch *st, size_t min_pages, bool from_ranges)
{
	struct source_batch batch;
	size_t nr_before;

	do {
		nr_before = st->nr_moved;
		batch.min_pages = min_pages;
		batch.nid = page_to_nid(pfn_to_page(st->pfn));
		batch.from_ranges = from_ranges;
		batch.no_high = st->no_high;
		batch.nr_wanted = min_size(st->nr_missing, st->nr_budget);
		if (is_exhausted(st) || !source_batch_isolate(&batch))
			return;
		move_runs(st, batch.runs, batch.nr_runs);
		source_batch_put_back(&batch);
	} while (st->nr_moved > nr_before || batch.no_high != st->no_high);
}

static bool is_worth_it(const struct stitch *st, size_t min_pages)
{
	bool huge = is_for_huge_pages(st);

	if (is_exhausted(st))
		return false;
	if (params.stitch == STITCH_UFFD ||
	    (cost_allows_batch(huge) && cost_allows_moving(min_pages, huge)))
		return true;
	count(&stitch_counts.dear, 1);
	return false;
}

/* What lies behind the destination, a run at a time. */
static void stitch_spare(struct stitch *st, size_t pfn, size_t end)
{
	for (;;) {
		struct source_run run;

		zone_lock();
		run = source_next_run(&pfn, end, min_run());
		zone_unlock();
		if (!run.nr_pages)
			return;
		move_runs(st, &run, 1);
	}
}

static void stitch_whole(struct stitch *st, bool from_ranges)
{
	rewind_holes(st, true);
	if (next_hole(st))
		stitch_runs(st, PAGEBLOCK_PAGES, from_ranges);
	rewind_holes(st, false);
}

/* The shortest that are worth moving; LONG_RUN: no shorter ones are. */
static size_t least_run(const struct stitch *st)
{
	size_t least = min_run();

	if (params.stitch != STITCH_UFFD)
		least = max_size(least, cost_least_run(is_for_huge_pages(st)));
	return min_size(least, LONG_RUN);
}

static void stitch_from(struct stitch *st, bool from_ranges)
{
	size_t least;

	stitch_whole(st, from_ranges);
	if (is_worth_it(st, LONG_RUN))
		stitch_runs(st, LONG_RUN, from_ranges);
	least = least_run(st);
	if (least > min_run() && least < LONG_RUN && is_worth_it(st, least))
		stitch_runs(st, least, from_ranges);
	if (is_worth_it(st, min_run()))
		stitch_runs(st, min_run(), from_ranges);
}

static void stitch_all(struct stitch *st, size_t spare, size_t nr_spare)
{
	rewind_holes(st, false);
	stitch_spare(st, spare, spare + nr_spare);
	stitch_from(st, false);
	stitch_from(st, true);
}

/* --- what a fault takes ---------------------------------------------------------------------- */

/*
 * Pages of the destination that the program would fault in otherwise. They stay zero. True when it
 * was a huge page.
 */
static bool sample_faults(struct stitch *st)
{
	bool huge = is_for_huge_pages(st);
	unsigned char resident = 0;
	size_t nr_pages = SAMPLE_PAGES;
	uint64_t start;

	rewind_holes(st, huge);
	if (!next_hole(st) || st->nr_hole < SAMPLE_PAGES)
		return false;
	if (huge)
		nr_pages = 1;
	memcheck_quiet_begin(); /* it is nobody's yet */
	start = os_clock_ns();
	for (size_t i = 0; i < nr_pages; i++)
		*(volatile char *)pfn_to_virt(st->hole + i) = 0;
	start = os_clock_ns() - start;
	memcheck_quiet_end();
	if (huge && !os_mincore(pfn_to_virt(st->hole + 1), PAGE_SIZE, &resident) && resident & 1)
		nr_pages = PAGEBLOCK_PAGES;
	cost_note_pages(nr_pages == PAGEBLOCK_PAGES ? &stitch_costs.huge : &stitch_costs.fresh,
			nr_pages, start);
	zone_lock();
	residency_note_filled(st->hole, nr_pages);
	zone_unlock();
	pass_over_hole(st, nr_pages);
	return nr_pages == PAGEBLOCK_PAGES;
}

/* When something was timed last, and whether huge pages are to be tried again. */
static struct {
	unsigned int nr_since; /* requests */
	size_t ns_before;      /* that moving had taken */
	bool huge_is_due;
} sampled = { .nr_since = SAMPLE_INTERVAL };

static void sample_huge(struct stitch *st)
{
	sampled.ns_before = stitch_counts.ns;
	if (!sample_faults(st))
		return;
	sampled.huge_is_due = cost_finds_huge_dear();
	if (sampled.huge_is_due)
		huge_refrain(NR_REFRAINING);
}

static bool may_sample_huge(void)
{
	const struct cost *huge = &stitch_costs.huge;
	size_t ns = huge->nr_measured ? (size_t)huge->ns * PAGEBLOCK_PAGES : HUGE_SAMPLE_NS;

	return stitch_counts.ns - sampled.ns_before >= ns * HUGE_SAMPLE_SHARE;
}

static bool sample_is_due(const struct stitch *st, unsigned int interval)
{
	return ++sampled.nr_since >= interval || (sampled.huge_is_due && is_for_huge_pages(st));
}

/* Once in so many requests, and when huge pages are tried again. */
static void sample_in_time(struct stitch *st)
{
	if (!sample_is_due(st, SAMPLE_INTERVAL))
		return;
	sampled.nr_since = 0;
	st->sampling = true;
	if (!is_for_huge_pages(st))
		sample_faults(st);
	else if (sampled.huge_is_due || may_sample_huge())
		sample_huge(st);
}

/* Nothing is moved: the pages would be faulted in in any case. */
static void sample_unmoved(struct stitch *st)
{
	if (!sample_is_due(st, is_for_huge_pages(st) ? 1 : SAMPLE_INTERVAL_UNMOVED))
		return;
	sampled.nr_since = 0;
	if (is_for_huge_pages(st))
		sample_huge(st);
	else
		sample_faults(st);
}

/* --- a request -------------------------------------------------------------------------------- */

size_t stitch_count_available(void)
{
	size_t nr_free = READ_ONCE(zone.nr_free_touched), nr_reserved = RESERVE_PAGES;

	for (unsigned int use = 0; use < NR_PAGE_USES; use++)
		nr_reserved += READ_ONCE(zone.nr_used[use]) / RESERVE_SHARE;
	return nr_free > nr_reserved ? nr_free - nr_reserved : 0;
}

/*
 * What is left will be faulted in, with the rest of its last huge page. Memory shall not grow by it
 * while free pages keep frames.
 */
static void purge_as_much(const struct stitch *st)
{
	size_t nr_faulted = st->nr_missing, nr_pages;
	uint64_t start;

	if (is_for_huge_pages(st))
		nr_faulted += align_up(st->end, PAGEBLOCK_PAGES) - st->end;
	else
		nr_faulted = cost_expect_touched(nr_faulted);
	nr_pages = min_size(nr_faulted, stitch_count_available());
	if (nr_pages < STITCH_MIN_PAGES)
		return;
	start = os_clock_ns();
	nr_pages = decay_drop_locked(nr_pages);
	if (!nr_pages)
		return;
	cost_note_pages(&stitch_costs.purge, nr_pages, os_clock_ns() - start);
	count(&stitch_counts.purged, nr_pages);
}

static void stitch_locked(struct stitch *st, size_t spare, size_t nr_spare)
{
	sample_in_time(st);
	stitch_all(st, spare, nr_spare);
	count(&stitch_counts.requests, st->nr_moved > 0);
	count(&stitch_counts.runs, st->nr_runs);
	count(&stitch_counts.pages, st->nr_moved);
	if (st->nr_missing < STITCH_MIN_PAGES)
		return;
	if (st->nr_runs >= STITCH_MAX_RUNS || st->nr_moved >= MAX_PAGES)
		count(&stitch_counts.bounded, 1);
	else
		count(&stitch_counts.not_enough, 1);
	purge_as_much(st);
}

/* The holder of LOCK_RECLAIM stitches. */
static _Atomic bool is_stitching;

bool stitch_lock(void)
{
	if (!lock_try_acquire(LOCK_RECLAIM)) {
		if (!is_stitching) {
			atomic_fetch_add_explicit(&stitch_counts.no_lock, 1, memory_order_relaxed);
			return false;
		}
		lock_acquire(LOCK_RECLAIM);
	}
	is_stitching = true;
	return true;
}

void stitch_unlock(void)
{
	is_stitching = false;
	lock_release(LOCK_RECLAIM);
}

void stitch_fill(size_t pfn, size_t nr_pages, size_t spare, size_t nr_spare)
{
	struct stitch st = { .pfn = pfn, .end = pfn + nr_pages,
			     .nr_budget = stitch_count_available() };

	if (nr_pages < STITCH_MIN_PAGES || params.stitch == STITCH_OFF ||
	    st.nr_budget < STITCH_MIN_PAGES)
		return;
	st.nr_missing = residency_count_holes(pfn, nr_pages);
	if (st.nr_missing < STITCH_MIN_PAGES)
		return;
	st.nr_budget = min_size(st.nr_budget, MAX_PAGES);
	if (!stitch_lock())
		return;
	if (mover_ready()) {
		stitch_locked(&st, spare, nr_spare);
	} else {
		count(&stitch_counts.no_mover, 1);
		purge_as_much(&st); /* also for those that are sampled */
		sample_unmoved(&st);
	}
	stitch_unlock();
}
