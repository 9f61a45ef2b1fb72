/*
 * test_decay.c - freed pages stay for a while and go back by themselves: two watermarks, age, and
 * what was dropped too soon.
 */
#include <errno.h>

#include "core/lock.h"
#include "core/params.h"
#include "mm/decay.h"
#include "mm/pagerun.h"
#include "mm/residency.h"
#include "mm_test.h"
#include "vmalloc/vmap_area.h"

#define RETAIN_PAGES 2048u /* WMARK_HIGH; WMARK_LOW is half of it */
/* What goes at once, of a program that had more than this. */
#define AT_ONCE_PAGES (8 * RETAIN_PAGES)
#define DECAY_MS 2000u
#define RUN_PAGES 256u /* two to a pageblock */

static size_t runs[128];

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

static size_t area;

static void take_area(size_t nr_units)
{
	struct page *page = area_alloc(nr_units * UNIT_PAGES, PAGE_SIZE);

	ASSERT(page);
	area = page_to_pfn(page);
	for (size_t i = 0; i < nr_units * UNIT_PAGES; i++)
		*first_word(area + i) = 1;
	if (decay_is_due())
		decay_step();
}

static void give_area(void)
{
	ASSERT(area_free(pfn_to_page(area)));
	if (decay_is_due())
		decay_step();
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
	take_runs(0, 88);
	give_runs(0, 64);
	EXPECT_EQ(zone.nr_free_touched, AT_ONCE_PAGES);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE_RANGES), 0);
	give_runs(64, 24);
	EXPECT(zone.nr_free_touched <= AT_ONCE_PAGES);
	EXPECT(zone.nr_free_touched > AT_ONCE_PAGES - 2 * PAGEBLOCK_PAGES); /* and not much more */
	EXPECT(validate_zone());
}

/* Who never had much may keep all that it had, for a while. */
MM_TEST(what_a_phase_leaves_stays_for_the_next)
{
	boot();
	take_runs(0, 32);
	give_runs(0, 32);
	EXPECT_EQ(zone.nr_free_touched, 32 * RUN_PAGES);
	EXPECT(32 * RUN_PAGES > 2 * RETAIN_PAGES);
	for (unsigned int i = 0; i < 5; i++)
		time_passes(DECAY_MS);
	EXPECT(zone.nr_free_touched <= RETAIN_PAGES / 2);
}

MM_TEST(nothing_stays_where_nothing_shall)
{
	boot();
	params.retain = 0;
	zone.watermark[WMARK_HIGH] = zone.watermark[WMARK_LOW] = 0;
	take_runs(0, 32);
	give_runs(0, 32);
	EXPECT_EQ(zone.nr_free_touched, 0);
}

/* The hand goes round: what was freed first goes first. */
MM_TEST(the_oldest_of_the_excess_goes)
{
	boot();
	take_runs(0, 96);
	give_runs(0, 96);
	EXPECT_EQ(nr_touched(0, 30), 0);
	EXPECT_EQ(nr_touched(34, 40), 40 * RUN_PAGES);
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
	boot();
	take_area(24);
	give_area();
	EXPECT_EQ(zone.nr_free_touched, AT_ONCE_PAGES);
	EXPECT_EQ(residency_count_touched(area, 8 * UNIT_PAGES), 0);
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
	take_runs(0, 96);
	give_runs(0, 96);
	nr_purged = os_fake_calls(OS_CALL_PURGE_RANGES);
	EXPECT(nr_purged > 0);
	time_passes(100);
	take_runs(0, 96);
	time_passes(100);
	give_runs(0, 96);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE_RANGES), nr_purged);
	EXPECT_EQ(zone.nr_free_touched, 96 * RUN_PAGES);
	/* But not for ever. */
	for (unsigned int i = 0; i < 100; i++)
		time_passes(500);
	EXPECT(zone.nr_free_touched <= RETAIN_PAGES / 2);
	os_fake_clock_advance(600000);
	take_runs(0, 96);
	give_runs(0, 96);
	EXPECT(zone.nr_free_touched <= AT_ONCE_PAGES);
}

MM_TEST(growth_long_after_is_no_regret)
{
	boot();
	take_runs(0, 96);
	give_runs(0, 96);
	os_fake_clock_advance(60000);
	take_runs(0, 96);
	give_runs(0, 96);
	EXPECT_EQ(zone.watermark[WMARK_HIGH], RETAIN_PAGES);
	EXPECT(zone.nr_free_touched <= AT_ONCE_PAGES);
}

static size_t nr_with_frames(void)
{
	return zone.nr_used[USE_RUN] + zone.nr_used[USE_AREA] + zone.nr_free_touched;
}

/* Runs cannot be made of what areas leave: it must not add to what the program ever had at once. */
MM_TEST(free_pages_of_the_wrong_kind_do_not_add_to_the_peak)
{
	boot();
	zone.watermark[WMARK_HIGH] = zone.watermark[WMARK_LOW] = 1 << 20;
	take_area(4);
	give_area();
	EXPECT_EQ(zone.nr_free_touched, 4 * UNIT_PAGES); /* as long as nothing else is wanted */
	for (unsigned int i = 0; i < 32; i++) {
		take_runs(i, 1);
		if (decay_is_due())
			decay_step();
		EXPECT(nr_with_frames() <= zone.peak_used + zone.peak_used / 128 + 600);
	}
	EXPECT(validate_zone());
}

/*
 * But who wants the same again and again in another kind shall have both: no area can be made of
 * the half pageblocks.
 */
MM_TEST(turns_between_kinds_are_learnt)
{
	size_t nr_calls = 0;

	boot();
	zone.watermark[WMARK_HIGH] = zone.watermark[WMARK_LOW] = 1 << 20;
	take_runs(0, 32);
	for (unsigned int i = 0; i < 32; i += 2)
		give_runs(i, 1);
	for (unsigned int round = 0; round < 40; round++) {
		nr_calls = os_fake_calls(OS_CALL_PURGE_RANGES);
		take_area(4);
		give_area();
		take_runs(32, 16);
		if (decay_is_due())
			decay_step();
		give_runs(32, 16);
		os_fake_clock_advance(100);
	}
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE_RANGES), nr_calls);
	EXPECT_EQ(zone.nr_free_touched, 4 * UNIT_PAGES + 16 * RUN_PAGES);
	EXPECT(validate_zone());
}

/* Locked memory: nothing can be dropped; tried again when it has aged again, till it can be. */
MM_TEST(a_refusal_is_no_loop)
{
	unsigned int nr_calls;

	boot();
	take_runs(0, 96);
	os_fake_fail(OS_CALL_ANY, 1, UINT_MAX, EINVAL);
	alarm(60);
	give_runs(0, 96);
	EXPECT_EQ(zone.nr_free_touched, 96 * RUN_PAGES);
	time_passes(DECAY_MS);
	nr_calls = os_fake_calls(OS_CALL_PURGE_RANGES);
	for (unsigned int i = 0; i < 10; i++)
		decay_step();
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE_RANGES), nr_calls);
	for (unsigned int i = 0; i < 10; i++)
		time_passes(DECAY_MS);
	EXPECT(os_fake_calls(OS_CALL_PURGE_RANGES) <= nr_calls + 10 * 14);
	os_fake_fail(OS_CALL_ANY, 0, 0, 0);
	for (unsigned int i = 0; i < 3; i++)
		time_passes(DECAY_MS);
	EXPECT(zone.nr_free_touched <= RETAIN_PAGES / 2);
	EXPECT(validate_zone());
}

/* An eighth of what is free, in whole blocks. */
MM_TEST(a_thread_that_ends_takes_pages_with_it)
{
	size_t nr_left;

	boot();
	take_runs(0, 8);
	give_runs(0, 6);
	ASSERT_EQ(zone.nr_free_touched, 6 * RUN_PAGES);
	decay_slot_left();
	nr_left = zone.nr_free_touched;
	EXPECT(nr_left <= 6 * RUN_PAGES * 7 / 8);
	EXPECT(nr_left >= 4 * RUN_PAGES);
	EXPECT_EQ(*first_word(runs[6]), 1);
	EXPECT(validate_zone());
	lock_acquire(LOCK_RECLAIM); /* by somebody else: no need to wait */
	os_fake_clock_advance(1000000);
	decay_slot_left();
	EXPECT_EQ(zone.nr_free_touched, nr_left);
	lock_release(LOCK_RECLAIM);
}

/* Threads may come and go all the time: 125 pages a second are dropped, after the first 128. */
MM_TEST(many_threads_that_end_take_no_more)
{
	size_t nr_dropped = 0;

	boot();
	for (unsigned int ms = 0; ms < 20000; ms += 20) {
		size_t nr_free;

		take_runs(0, 8);
		give_runs(0, 8);
		nr_free = zone.nr_free_touched;
		decay_slot_left();
		nr_dropped += nr_free - zone.nr_free_touched;
		os_fake_clock_advance(20);
	}
	EXPECT(nr_dropped <= 128 + 20 * 125 + 2 * RUN_PAGES); /* the last block may be too much */
	EXPECT(nr_dropped >= 20 * 125 - 2 * RUN_PAGES);
	EXPECT(validate_zone());
}

/* Locked memory, as above: the next to end does not look through all of it again. */
MM_TEST(threads_that_end_are_refused_once_a_second)
{
	unsigned int nr_calls;

	boot();
	take_runs(0, 8);
	give_runs(0, 8);
	os_fake_fail(OS_CALL_ANY, 1, UINT_MAX, EINVAL);
	decay_slot_left();
	nr_calls = os_fake_calls(OS_CALL_PURGE_RANGES);
	EXPECT(nr_calls > 0);
	for (unsigned int ms = 0; ms < 900; ms += 100) {
		os_fake_clock_advance(100);
		decay_slot_left();
	}
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE_RANGES), nr_calls);
	os_fake_fail(OS_CALL_ANY, 0, 0, 0);
	os_fake_clock_advance(2000);
	decay_slot_left();
	EXPECT(zone.nr_free_touched < 8 * RUN_PAGES);
	EXPECT(validate_zone());
}

MM_TEST(one_at_a_time)
{
	boot();
	take_runs(0, 96);
	lock_acquire(LOCK_RECLAIM);
	for (unsigned int i = 0; i < 96; i++)
		ASSERT(run_free(pfn_to_page(runs[i])));
	lock_release(LOCK_RECLAIM);
	EXPECT_EQ(zone.nr_free_touched, 96 * RUN_PAGES);
	decay_step();
	EXPECT(zone.nr_free_touched <= AT_ONCE_PAGES);
}

RUN_TESTS
