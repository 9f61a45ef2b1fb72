/*
 * test_decay.c - freed pages stay for a while and go back by themselves: two watermarks, age, and
 * what was dropped too soon.
 */
#include <errno.h>

#include "core/lock.h"
#include "core/params.h"
#include "mm/decay.h"
#include "mm/pagerun.h"
#include "mm/range.h"
#include "mm/residency.h"
#include "mm_test.h"

#define RETAIN_PAGES 2048u /* WMARK_HIGH; WMARK_LOW is half of it */
#define DECAY_MS 2000u
#define RUN_PAGES 256u /* two to a pageblock */

static size_t runs[64];

static void boot(void)
{
	os_fake_reset();
	os_fake_clock_set(1000000);
	params.retain = RETAIN_PAGES * PAGE_SIZE;
	params.decay_ms = DECAY_MS;
	boot_heap(MIB(256));
	decay_step(); /* the first instalment is far behind */
}

static void take_runs(unsigned int first, unsigned int nr)
{
	for (unsigned int i = first; i < first + nr; i++) {
		struct page *page = run_alloc(RUN_PAGES, 1);

		ASSERT(page);
		runs[i] = page_to_pfn(page);
		for (unsigned int p = 0; p < RUN_PAGES; p++)
			*first_word(runs[i] + p) = 1;
	}
}

/* As a program does: a step after every call, if one is due. */
static void give_runs(unsigned int first, unsigned int nr)
{
	for (unsigned int i = first; i < first + nr; i++) {
		ASSERT(run_free(pfn_to_page(runs[i])));
		if (decay_is_due())
			decay_step();
	}
}

static void time_passes(uint64_t ms)
{
	os_fake_clock_advance(ms);
	if (decay_is_due())
		decay_step();
	EXPECT(validate_zone());
	EXPECT_EQ(zone.nr_isolated, 0);
}

static size_t nr_touched(unsigned int first, unsigned int nr)
{
	size_t sum = 0;

	for (unsigned int i = first; i < first + nr; i++)
		sum += residency_count_touched(runs[i], RUN_PAGES);
	return sum;
}

MM_TEST(a_little_stays_for_ever)
{
	boot();
	take_runs(0, 4);
	give_runs(0, 4);
	EXPECT(!decay_is_due());
	for (unsigned int i = 0; i < 100; i++)
		time_passes(DECAY_MS);
	EXPECT_EQ(zone.nr_free_touched, 4 * RUN_PAGES);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE_RANGES), 0);
}

MM_TEST(the_excess_goes_at_once)
{
	boot();
	take_runs(0, 24);
	give_runs(0, 8);
	EXPECT_EQ(zone.nr_free_touched, RETAIN_PAGES);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE_RANGES), 0);
	give_runs(8, 16);
	EXPECT(zone.nr_free_touched <= RETAIN_PAGES);
	EXPECT(zone.nr_free_touched > RETAIN_PAGES - 2 * PAGEBLOCK_PAGES); /* and not much more */
	EXPECT(validate_zone());
}

/* The hand goes round: what was freed first goes first. */
MM_TEST(the_oldest_of_the_excess_goes)
{
	boot();
	take_runs(0, 32);
	give_runs(0, 32);
	EXPECT_EQ(nr_touched(0, 22), 0);
	EXPECT_EQ(nr_touched(26, 6), 6 * RUN_PAGES);
}

MM_TEST(what_is_not_wanted_again_goes_after_a_while)
{
	boot();
	take_runs(0, 8);
	give_runs(0, 8);
	for (unsigned int ms = 0; ms < DECAY_MS - 200; ms += 100)
		time_passes(100);
	EXPECT_EQ(zone.nr_free_touched, RETAIN_PAGES);
	time_passes(400);
	EXPECT(zone.nr_free_touched <= RETAIN_PAGES / 2);
	EXPECT(zone.nr_free_touched > RETAIN_PAGES / 2 - 2 * PAGEBLOCK_PAGES);
}

MM_TEST(what_was_freed_lately_stays)
{
	boot();
	take_runs(0, 8);
	give_runs(0, 4);
	time_passes(DECAY_MS + 200);
	give_runs(4, 1); /* due now, and the old may go */
	EXPECT_EQ(residency_count_touched(runs[4], RUN_PAGES), RUN_PAGES);
	EXPECT(nr_touched(0, 4) < 4 * RUN_PAGES);
}

/* A program that was away for long does not pay for all of it in one call. */
MM_TEST(instalments_are_bounded)
{
	size_t before;

	boot();
	zone.watermark[WMARK_HIGH] = 1 << 20;
	take_runs(0, 64);
	give_runs(0, 64);
	time_passes(DECAY_MS + 200); /* tells the zone the time, and drops what is old */
	before = zone.nr_free_touched;
	time_passes(30);
	EXPECT(before - zone.nr_free_touched <= 30 * 80 + PAGEBLOCK_PAGES);
}

MM_TEST(areas_decay_unit_by_unit)
{
	size_t unit, pfn;

	boot();
	zone_lock();
	ASSERT(range_alloc_locked(RANGE_HIGH, 8, 1, &unit));
	pfn = unit * UNIT_PAGES;
	residency_note_taken(pfn, 8 * UNIT_PAGES);
	for (size_t i = 0; i < 8 * UNIT_PAGES; i++)
		*first_word(pfn + i) = 1;
	residency_note_freed(pfn, 8 * UNIT_PAGES);
	range_free_locked(unit, 8);
	zone_unlock();
	EXPECT(decay_is_due());
	decay_step();
	EXPECT_EQ(zone.nr_free_touched, RETAIN_PAGES);
	EXPECT_EQ(residency_count_touched(pfn, 6 * UNIT_PAGES), 0);
	EXPECT(validate_zone());
	time_passes(DECAY_MS + 200);
	EXPECT_EQ(zone.nr_free_touched, RETAIN_PAGES / 2);
	EXPECT(validate_zone());
}

/* A program that allocates and frees the same memory by turns is not robbed of it twice. */
MM_TEST(what_was_dropped_too_soon_stays_the_next_time)
{
	size_t nr_purged;

	boot();
	take_runs(0, 40);
	give_runs(0, 40);
	nr_purged = os_fake_calls(OS_CALL_PURGE_RANGES);
	EXPECT(nr_purged > 0);
	time_passes(100);
	take_runs(0, 40);
	time_passes(100);
	give_runs(0, 40);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE_RANGES), nr_purged);
	EXPECT_EQ(zone.nr_free_touched, 40 * RUN_PAGES);
	/* But not for ever. */
	for (unsigned int i = 0; i < 100; i++)
		time_passes(500);
	EXPECT(zone.nr_free_touched <= RETAIN_PAGES / 2);
	os_fake_clock_advance(600000);
	take_runs(0, 40);
	give_runs(0, 40);
	EXPECT(zone.nr_free_touched <= RETAIN_PAGES);
}

MM_TEST(growth_long_after_is_no_regret)
{
	boot();
	take_runs(0, 40);
	give_runs(0, 40);
	os_fake_clock_advance(60000);
	take_runs(0, 40);
	give_runs(0, 40);
	EXPECT_EQ(zone.watermark[WMARK_HIGH], RETAIN_PAGES);
	EXPECT(zone.nr_free_touched <= RETAIN_PAGES);
}

/* Locked memory: nothing can be dropped, and nothing is tried again and again. */
MM_TEST(a_refusal_is_no_loop)
{
	unsigned int nr_calls;

	boot();
	take_runs(0, 40);
	os_fake_fail(OS_CALL_ANY, 1, UINT_MAX, EINVAL);
	alarm(60);
	give_runs(0, 40);
	EXPECT_EQ(zone.nr_free_touched, 40 * RUN_PAGES);
	time_passes(DECAY_MS);
	nr_calls = os_fake_calls(OS_CALL_PURGE_RANGES);
	for (unsigned int i = 0; i < 10; i++)
		time_passes(DECAY_MS);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE_RANGES), nr_calls);
	EXPECT(validate_zone());
}

MM_TEST(one_at_a_time)
{
	boot();
	take_runs(0, 40);
	lock_acquire(LOCK_RECLAIM);
	for (unsigned int i = 0; i < 40; i++)
		ASSERT(run_free(pfn_to_page(runs[i])));
	lock_release(LOCK_RECLAIM);
	EXPECT_EQ(zone.nr_free_touched, 40 * RUN_PAGES);
	decay_step();
	EXPECT(zone.nr_free_touched <= RETAIN_PAGES);
}

RUN_TESTS
