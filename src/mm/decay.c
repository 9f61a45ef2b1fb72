/* decay.c - see decay.h. */
#include "mm/decay.h"

#include "core/params.h"
#include "mm/reclaim.h"
#include "os/os.h"

/* Time between two instalments: long against what one costs. */
#define INSTALMENT_MS 20u
/* An instalment is this many pages a millisecond passed: 320 MiB a second, 3 % of a processor. */
#define PAGES_PER_MS 80u
#define LONGEST_PASSED_MS 1000u
/* Dropped pages that are faulted in again within this time should have stayed. */
#define REGRET_MS 10000u
/* Once whole huge pages and mostly free ones were not enough, for so long nobody looks for them. */
#define SPLIT_MS 1000u

/* Times params.retain. */
#define PHASE_SHARE 8u

/* Pages in that time: 1 % of a processor in faults. */
#define BEARABLE_REGRET 50000u

/*
 * Of what is free when a thread ends, that much will not be wanted by the others. Threads may come
 * and go all the time: it is no more than a page in so many milliseconds, after a first few.
 */
#define EXIT_SHARE 8u
#define EXIT_MS_PER_PAGE 8u
#define MOST_EXIT_PAGES 128u
/* For so long nobody looks again, once that much was not to be found. */
#define EXIT_REFUSED_MS 1000u

/* LOCK_RECLAIM. */
static struct {
	struct reclaim_walk hand;
	uint64_t last_ms;      /* of the last instalment */
	uint64_t refused_ms;   /* when there was last nothing that could be dropped */
	uint64_t split_ms;     /* when there was last too little but in parts of huge pages */
	uint64_t dropped_ms;   /* when the excess was last dropped */
	size_t nr_dropped;     /* pages of the excess, dropped lately */
	size_t regret;	       /* of these, faulted in again lately, when beyond the peak */
	bool beyond_peak;      /* why they were dropped */
	uint64_t exit_ms;      /* up to when pages were dropped for threads that ended */
	size_t nr_faulted;     /* HOLE pages that the program got, when last looked at */
} decay;

static size_t retained_pages(void)
{
	return params.retain / PAGE_SIZE;
}

/* What was dropped and soon faulted in again shall stay the next time. */
static void learn(uint64_t now)
{
	size_t nr_faulted = READ_ONCE(zone.nr_holes_used) - READ_ONCE(zone.nr_holes_filled);
	size_t nr_new = nr_faulted - min_size(nr_faulted, decay.nr_faulted);
	size_t regret = min_size(nr_new, decay.nr_dropped);

	decay.nr_faulted += nr_new; /* what is counted as used now may be filled in a moment */
	if (now - decay.dropped_ms > REGRET_MS)
		regret = decay.nr_dropped = 0;
	decay.nr_dropped -= regret;
	if (decay.beyond_peak)
		decay.regret += regret;
	else
		WRITE_ONCE(zone.watermark[WMARK_HIGH], zone.watermark[WMARK_HIGH] + regret);
}

/*
 * A heap that grows regrets, too: only what has been faulted in again more than twice over tells of
 * a program that uses the same memory for this and that by turns.
 */
static void allow_beyond_peak(void)
{
	size_t bearable = min_size(2 * READ_ONCE(zone.peak_used), BEARABLE_REGRET);

	if (zone_is_bounded())
		return;
	WRITE_ONCE(zone.nr_free_beyond, decay.regret > bearable ? decay.regret - bearable : 0);
}

/* By half in REGRET_MS. */
static void forget(uint64_t passed_ms)
{
	size_t above = zone.watermark[WMARK_HIGH] - retained_pages();

	above >>= min_size(passed_ms / REGRET_MS, 63);
	above -= above * (passed_ms % REGRET_MS) / (2 * REGRET_MS);
	WRITE_ONCE(zone.watermark[WMARK_HIGH], retained_pages() + above);
	decay.regret >>= min_size(passed_ms / REGRET_MS, 63);
	decay.regret -= decay.regret * (passed_ms % REGRET_MS) / (2 * REGRET_MS);
}

/*
 * What a program leaves when it goes over to other work may exceed params.retain: it stays until it
 * has aged, since it is what that work's memory is stitched from. By how much.
 */
static size_t nr_between_phases(void)
{
	size_t nr_pages = min_size(zone_peak_pages(), PHASE_SHARE * retained_pages());

	return nr_pages - min_size(nr_pages, retained_pages());
}

/* Once round at most. */
static void go_round(struct reclaim_limit *limit)
{
	size_t start = decay.hand.cursor;

	while (limit->nr_pages && reclaim_aged_locked(&decay.hand, limit, mm_map.nr_pages))
		;
	if (!limit->nr_pages)
		return;
	decay.hand.cursor = 0;
	while (limit->nr_pages && reclaim_aged_locked(&decay.hand, limit, start))
		;
}

static size_t excess(enum watermark mark)
{
	size_t nr_free = READ_ONCE(zone.nr_free_touched);
	size_t watermark = READ_ONCE(zone.watermark[mark]);

	if (mark == WMARK_HIGH)
		watermark += nr_between_phases();
	return nr_free > watermark ? nr_free - watermark : 0;
}

static size_t excess_beyond_peak(void)
{
	size_t nr_free = READ_ONCE(zone.nr_free_touched);
	size_t allowed = READ_ONCE(zone.nr_free_in_peak) +
			 READ_ONCE(zone.nr_free_beyond) + decay_batch_pages();

	return nr_free > allowed + decay_batch_pages() ? nr_free - allowed : 0;
}

static void drop_excess(uint64_t now)
{
	size_t above_high = excess(WMARK_HIGH), beyond_peak = excess_beyond_peak();
	struct reclaim_limit limit = { .nr_pages = max_size(above_high, beyond_peak) };
	size_t nr_before = decay.hand.nr_pages;

	if (!limit.nr_pages || now - decay.refused_ms < INSTALMENT_MS)
		return;
	decay.beyond_peak = beyond_peak > above_high;
	if (now - decay.split_ms >= SPLIT_MS) {
		go_round(&limit);
		if (limit.nr_pages)
			decay.split_ms = now;
	}
	limit.split = true;
	go_round(&limit);
	if (decay.hand.nr_pages == nr_before)
		decay.refused_ms = now;
	decay.dropped_ms = now;
	decay.nr_dropped += decay.hand.nr_pages - nr_before;
}

static size_t drop(struct reclaim_limit limit)
{
	size_t nr_before = decay.hand.nr_pages;

	go_round(&limit);
	return decay.hand.nr_pages - nr_before;
}

size_t decay_drop_locked(size_t nr_pages)
{
	return drop((struct reclaim_limit){ .nr_pages = nr_pages, .split = true });
}

static void drop_aged(uint64_t passed_ms)
{
	size_t nr_pages = PAGES_PER_MS * min_size(passed_ms, LONGEST_PASSED_MS);
	struct reclaim_limit limit = { .nr_pages = min_size(nr_pages, excess(WMARK_LOW)),
				       .min_age_ms = (uint32_t)params.decay_ms,
				       .split = true };

	go_round(&limit);
}

static void step_locked(uint64_t now)
{
	uint64_t passed_ms = now - decay.last_ms;

	if ((int64_t)passed_ms < 0) /* another thread has asked the clock later, and was faster */
		return;
	learn(now);
	allow_beyond_peak();
	drop_excess(now);
	if (passed_ms < INSTALMENT_MS)
		return;
	WRITE_ONCE(decay.last_ms, now);
	forget(passed_ms);
	drop_aged(passed_ms);
}

/*
 * What is dropped is whole extents, which may be more than was asked for: the next ones wait. Too
 * little: the rest is in whole huge pages or locked, and was looked through for nothing.
 */
static void slot_left_locked(uint64_t now)
{
	size_t nr_dropped;
	uint64_t passed_ms = now - min_size(now, decay.exit_ms);
	size_t most = min_size(passed_ms / EXIT_MS_PER_PAGE, MOST_EXIT_PAGES);
	size_t nr_pages = min_size(READ_ONCE(zone.nr_free_touched) / EXIT_SHARE, most);

	if (!nr_pages)
		return;
	decay.exit_ms = now - most * EXIT_MS_PER_PAGE;
	nr_dropped = drop((struct reclaim_limit){ .nr_pages = nr_pages });
	decay.exit_ms += EXIT_MS_PER_PAGE * nr_dropped;
	if (nr_dropped < nr_pages)
		decay.exit_ms = now + EXIT_REFUSED_MS;
}

void decay_slot_left(void)
{
	if (!READ_ONCE(zone.nr_free_touched) || !lock_try_acquire(LOCK_RECLAIM))
		return;
	slot_left_locked(os_clock_ms());
	lock_release(LOCK_RECLAIM);
}

void decay_step(void)
{
	uint64_t now = os_clock_ms();

	WRITE_ONCE(zone.now, zone_tick(now));
	if (now - READ_ONCE(decay.last_ms) < INSTALMENT_MS && !excess(WMARK_HIGH) &&
	    !excess_beyond_peak())
		return;
	if (!lock_try_acquire(LOCK_RECLAIM))
		return;
	step_locked(now);
	lock_release(LOCK_RECLAIM);
}
