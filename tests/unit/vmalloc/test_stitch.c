/*
 * test_stitch.c - large requests get the frames of scattered free pages, and nothing else; what the
 * kernel refuses is left as it was.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "core/lock.h"
#include "core/params.h"
#include "mm/huge_memory.h"
#include "mm/pagerun.h"
#include "mm/range.h"
#include "mm/residency.h"
#include "unit/mm/mm_test.h"
#include "vmalloc/mover.h"
#include "vmalloc/stitch.h"
#include "vmalloc/stitch_cost.h"
#include "vmalloc/vmap_area.h"

#define NR_RUNS 512u
#define RUN_PAGES 64u
#define AREA_PAGES (2 * UNIT_PAGES)
/* Faulted in to learn the cost, by the first stitch. */
#define SAMPLED 8u
/* Of stitch.c. */
#define HUGE_SAMPLE_NS 1000000u
#define HUGE_SAMPLE_SHARE 20u
#define THP_FILE "/sys/kernel/mm/transparent_hugepage/enabled"

static size_t runs[NR_RUNS];

static void write_pages(size_t pfn, size_t nr_pages)
{
	for (size_t i = 0; i < nr_pages; i++)
		*first_word(pfn + i) = pfn + i + 1;
}

/* As if measured often: one measurement changes little. */
static void set_cost(struct cost *cost, uint32_t ns)
{
	*cost = (struct cost){ ns, 100 };
}

/* Runs of 64 pages, every other of which is free: 64 MiB in scattered frames. */
static void boot(void)
{
	params.stitch = STITCH_UFFD; /* whatever it costs here */
	boot_heap(MIB(512));
	for (unsigned int i = 0; i < NR_RUNS; i++) {
		struct page *page = run_alloc(RUN_PAGES, 1);

		ASSERT(page);
		runs[i] = page_to_pfn(page);
		write_pages(runs[i], RUN_PAGES);
	}
	for (unsigned int i = 0; i < NR_RUNS; i += 2)
		ASSERT(run_free(pfn_to_page(runs[i])));
	ASSERT_EQ(zone.nr_free_touched, NR_RUNS / 2 * RUN_PAGES);
}

static size_t take_area(size_t nr_pages)
{
	struct page *page = area_alloc(nr_pages, PAGE_SIZE);

	ASSERT(page);
	EXPECT(validate_zone());
	EXPECT_EQ(zone.nr_isolated, 0);
	return page_to_pfn(page);
}

static size_t count_resident(size_t pfn, size_t nr_pages)
{
	unsigned char resident[4096];
	size_t count = 0;

	ASSERT(nr_pages <= sizeof(resident));
	ASSERT(!mincore(pfn_to_virt(pfn), nr_pages * PAGE_SIZE, resident));
	for (size_t i = 0; i < nr_pages; i++)
		count += resident[i] & 1;
	return count;
}

/* Pages that hold what was written into free runs; each must have come from another. */
static size_t count_moved_in(size_t pfn, size_t nr_pages)
{
	static unsigned char seen[MIB(512) / 4096 + 1];
	size_t count = 0;

	for (size_t i = 0; i < nr_pages; i++) {
		uint64_t tag = count_resident(pfn + i, 1) ? *first_word(pfn + i) : 0;

		if (!tag)
			continue;
		ASSERT(tag < sizeof(seen));
		EXPECT(!seen[tag]++);
		EXPECT(!count_resident(tag - 1, 1)); /* it has left */
		count++;
	}
	return count;
}

static void expect_runs_in_use_intact(void)
{
	for (unsigned int i = 1; i < NR_RUNS; i += 2)
		for (size_t p = runs[i]; p < runs[i] + RUN_PAGES; p++)
			if (*first_word(p) != p + 1)
				EXPECT_EQ(*first_word(p), p + 1);
}

MM_TEST(an_area_is_stitched_from_scattered_frames)
{
	size_t nr_free, pfn;

	boot();
	nr_free = zone.nr_free_touched;
	pfn = take_area(AREA_PAGES);
	EXPECT_EQ(count_resident(pfn, AREA_PAGES), AREA_PAGES);
	EXPECT_EQ(count_moved_in(pfn, AREA_PAGES), AREA_PAGES - SAMPLED);
	EXPECT_EQ(residency_count_touched(pfn, AREA_PAGES), AREA_PAGES);
	EXPECT_EQ(nr_free - zone.nr_free_touched, AREA_PAGES - SAMPLED);
	EXPECT_EQ(stitch_counts.requests, 1);
	EXPECT_EQ(stitch_counts.pages, AREA_PAGES - SAMPLED);
	EXPECT(stitch_counts.runs >= AREA_PAGES / RUN_PAGES);
	EXPECT(stitch_counts.ns > 0);
	EXPECT_EQ(zone.nr_holes_filled, AREA_PAGES - SAMPLED);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE), 0);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE_RANGES), 0);
	expect_runs_in_use_intact();
}

/* Adopted in place: a freed stitched area needs no way home, and serves the next request. */
MM_TEST(what_was_stitched_stays_where_it_is)
{
	unsigned int nr_moves;
	size_t pfn;

	boot();
	pfn = take_area(AREA_PAGES);
	nr_moves = os_fake_calls(OS_CALL_MOVE);
	ASSERT(area_free(pfn_to_page(pfn)));
	EXPECT_EQ(take_area(AREA_PAGES), pfn);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE), nr_moves);
	EXPECT_EQ(count_resident(pfn, AREA_PAGES), AREA_PAGES);
}

/* Only what is missing is moved. */
MM_TEST(a_partly_resident_range_is_completed)
{
	size_t first, second;

	boot();
	first = take_area(UNIT_PAGES);
	ASSERT(area_free(pfn_to_page(first)));
	second = take_area(AREA_PAGES);
	EXPECT_EQ(second, first);
	EXPECT_EQ(count_resident(second, AREA_PAGES), AREA_PAGES);
	EXPECT_EQ(stitch_counts.pages, AREA_PAGES - SAMPLED);
}

MM_TEST(a_run_is_stitched_too)
{
	struct page *page;

	boot();
	page = run_alloc(500, 1); /* a fresh pageblock */
	ASSERT(page);
	EXPECT_EQ(count_resident(page_to_pfn(page), 500), 0);
	stitch_fill(page_to_pfn(page), 500, 0, 0);
	EXPECT_EQ(count_resident(page_to_pfn(page), 500), 500);
	EXPECT(validate_zone());
	expect_runs_in_use_intact();
}

MM_TEST(small_requests_are_not)
{
	boot();
	stitch_fill(page_to_pfn(run_alloc(63, 1)), 63, 0, 0);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVER_OPEN), 0);
	EXPECT_EQ(stitch_counts.requests, 0);
}

/* The rest of the last unit serves first: it is no use to anybody else. */
MM_TEST(what_lies_behind_the_end_is_moved_in_front)
{
	size_t pfn, nr_free;

	boot();
	pfn = take_area(AREA_PAGES);
	ASSERT(!madvise(pfn_to_virt(pfn), 600 * PAGE_SIZE, MADV_DONTNEED));
	zone_lock();
	residency_note_purged(pfn, 600);
	zone_unlock();
	nr_free = zone.nr_free_touched;
	stitch_fill(pfn, AREA_PAGES - 600, pfn + AREA_PAGES - 600, 600);
	EXPECT_EQ(count_resident(pfn, AREA_PAGES - 600), AREA_PAGES - 600);
	EXPECT_EQ(count_resident(pfn + AREA_PAGES - 600, 600), 0);
	EXPECT_EQ(residency_count_touched(pfn + AREA_PAGES - 600, 600), 0);
	EXPECT_EQ(nr_free, zone.nr_free_touched);
}

/* --- bounds --------------------------------------------------------------------------------- */

/* A little is left for small requests. */
MM_TEST(the_reserve_is_left)
{
	boot();
	take_area(NR_RUNS / 2 * RUN_PAGES);
	EXPECT(zone.nr_free_touched >= MIB(4) / PAGE_SIZE);
	stitch_counts = (struct stitch_counts){ 0 };
	take_area(AREA_PAGES);
	EXPECT(zone.nr_free_touched >= MIB(4) / PAGE_SIZE);
	EXPECT(stitch_counts.pages < AREA_PAGES / 2);
}

/* 128 MiB of runs of so many pages, every other of which is free. */
static void boot_with_short_runs(size_t nr_pages)
{
	static size_t short_runs[16384];
	size_t nr_runs = MIB(128) / PAGE_SIZE / nr_pages;

	ASSERT(nr_runs <= ARRAY_SIZE(short_runs));
	boot_heap(MIB(512));
	for (size_t i = 0; i < nr_runs; i++) {
		short_runs[i] = page_to_pfn(run_alloc(nr_pages, 1));
		write_pages(short_runs[i], nr_pages);
	}
	for (size_t i = 0; i < nr_runs; i += 2)
		ASSERT(run_free(pfn_to_page(short_runs[i])));
}

/* Runs that are too short to be worth it are dropped in place of what will be faulted in. */
MM_TEST(memory_does_not_grow_by_what_cannot_be_stitched)
{
	size_t nr_free;

	boot_with_short_runs(2);
	nr_free = zone.nr_free_touched;
	take_area(AREA_PAGES);
	EXPECT_EQ(stitch_counts.pages, 0);
	EXPECT(nr_free - zone.nr_free_touched >= AREA_PAGES - SAMPLED);
	EXPECT(stitch_counts.purged >= AREA_PAGES - SAMPLED);
	EXPECT_EQ(stitch_costs.purge.nr_measured, 1);
	EXPECT_EQ(stitch_counts.not_enough, 1);
}

MM_TEST(what_costs_too_much_is_not_done)
{
	boot();
	params.stitch = STITCH_AUTO;
	set_cost(&stitch_costs.fresh, 2000);
	set_cost(&stitch_costs.run, 200000);
	take_area(AREA_PAGES);
	EXPECT_EQ(stitch_counts.pages, 0);
	EXPECT_EQ(stitch_counts.dear, 4);
	EXPECT(stitch_counts.purged >= AREA_PAGES - SAMPLED);
	set_cost(&stitch_costs.run, 1000);
	set_cost(&stitch_costs.page, 100);
	take_area(AREA_PAGES);
	EXPECT(stitch_counts.pages > 0);
}

/* Four pages are not worth a move here, and sixteen are. */
MM_TEST(shorter_runs_are_moved_where_the_shortest_cost_too_much)
{
	boot_with_short_runs(16);
	set_cost(&stitch_costs.fresh, 2000);
	set_cost(&stitch_costs.run, 10000);
	set_cost(&stitch_costs.page, 100);
	take_area(AREA_PAGES);
	EXPECT(stitch_counts.pages > AREA_PAGES / 2);
	EXPECT(stitch_counts.purged < AREA_PAGES / 2);
}

/* Most of what is left is dropped, for the program will fault it in. */
MM_TEST(a_stitch_is_bounded)
{
	boot_with_short_runs(8);
	set_cost(&stitch_costs.fresh, 2000);
	take_area(MIB(48) / PAGE_SIZE);
	EXPECT_EQ(stitch_counts.runs, STITCH_MAX_RUNS);
	EXPECT_EQ(stitch_counts.pages, 8 * STITCH_MAX_RUNS);
	EXPECT_EQ(stitch_counts.bounded, 1);
	EXPECT(stitch_counts.purged > 0);
}

/* --- who may -------------------------------------------------------------------------------- */

MM_TEST(without_the_kernels_help_nothing_happens)
{
	boot();
	os_fake_feature(OS_FEATURE_MOVE, false);
	EXPECT_EQ(count_resident(take_area(AREA_PAGES), AREA_PAGES), SAMPLED);
	take_area(AREA_PAGES);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVER_OPEN), 1); /* asked once */
	EXPECT_EQ(stitch_counts.no_mover, 2);
	EXPECT_EQ(mover_error(), -EINVAL);
}

MM_TEST(under_a_filter_nothing_is_tried)
{
	boot();
	params.stitch = STITCH_AUTO;
	os_fake_feature(OS_FEATURE_NO_FILTER, false);
	take_area(AREA_PAGES);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVER_OPEN), 0);
	params.stitch = STITCH_UFFD;
	take_area(AREA_PAGES);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVER_OPEN), 1);
	EXPECT(stitch_counts.pages > 0);
}

/* Also one that is set after the first stitch. */
MM_TEST(a_filter_stops_it)
{
	unsigned int nr_moves;

	boot();
	take_area(AREA_PAGES);
	nr_moves = os_fake_calls(OS_CALL_MOVE);
	params.stitch = STITCH_AUTO;
	os_fake_feature(OS_FEATURE_NO_FILTER, false);
	take_area(AREA_PAGES);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE), nr_moves);
}

MM_TEST(stitch_off)
{
	boot();
	params.stitch = STITCH_OFF;
	EXPECT_EQ(count_resident(take_area(AREA_PAGES), AREA_PAGES), 0);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVER_OPEN), 0);
	EXPECT_EQ(stitch_counts.purged, 0);
}

MM_TEST(stitch_purge)
{
	size_t nr_free;

	boot();
	nr_free = zone.nr_free_touched;
	params.stitch = STITCH_PURGE;
	EXPECT_EQ(count_resident(take_area(AREA_PAGES), AREA_PAGES), SAMPLED);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVER_OPEN), 0);
	EXPECT(nr_free - zone.nr_free_touched >= AREA_PAGES);
	EXPECT_EQ(stitch_counts.purged, nr_free - zone.nr_free_touched);
}

static enum range_part part_of(size_t pfn)
{
	return (enum range_part)pfn_to_pageblock(pfn)->part;
}

MM_TEST(huge_pages_that_cost_more_than_others_are_done_without_for_a_while)
{
	unsigned int nr_low = 0;

	boot();
	params.stitch = STITCH_PURGE;
	take_area(AREA_PAGES);
	EXPECT_EQ(stitch_costs.fresh.nr_measured, 1);
	os_fake_file_set(THP_FILE, "[always] madvise never\n");
	huge_boot();
	set_cost(&stitch_costs.huge, 4000000000);
	EXPECT_EQ(part_of(take_area(UNIT_PAGES)), RANGE_HIGH); /* to see what they cost */
	while (nr_low < 1000 && part_of(take_area(UNIT_PAGES)) == RANGE_LOW)
		nr_low++;
	EXPECT(nr_low >= 16 && nr_low < 100);
}

/* The first request for huge pages. Returns whether a page fault was timed. */
static bool times_huge(size_t ns_of_moves)
{
	boot();
	os_fake_file_set(THP_FILE, "[always] madvise never\n");
	huge_boot();
	stitch_counts.ns = ns_of_moves;
	EXPECT_EQ(part_of(take_area(UNIT_PAGES)), RANGE_HIGH);
	EXPECT(stitch_counts.pages > 0);
	return stitch_costs.fresh.nr_measured + stitch_costs.huge.nr_measured;
}

MM_TEST(a_huge_page_is_not_timed_before_moving_has_taken_long)
{
	EXPECT(!times_huge(HUGE_SAMPLE_NS * HUGE_SAMPLE_SHARE - 1));
}

MM_TEST(a_huge_page_is_timed_then)
{
	EXPECT(times_huge(HUGE_SAMPLE_NS * HUGE_SAMPLE_SHARE));
}

MM_TEST(a_program_that_has_registered_part_of_the_heap_keeps_it)
{
	boot();
	os_fake_fail(OS_CALL_MOVER_REGISTER, 1, 1, EBUSY);
	take_area(AREA_PAGES);
	take_area(AREA_PAGES);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVER_REGISTER), 1);
	EXPECT_EQ(stitch_counts.pages, 0);
}

static void stitch_in_child(void)
{
	pid_t child = fork();
	int status = -1;

	ASSERT(child >= 0);
	if (!child) {
		unsigned int nr_opened = os_fake_calls(OS_CALL_MOVER_OPEN);
		size_t pages = stitch_counts.pages;

		EXPECT_EQ(mm_map.process->mover, 0);
		take_area(AREA_PAGES);
		EXPECT_EQ(os_fake_calls(OS_CALL_MOVER_OPEN), nr_opened + 1);
		EXPECT(stitch_counts.pages > pages);
		_exit(kunit.nr_failed_checks ? 1 : 0);
	}
	ASSERT(waitpid(child, &status, 0) == child);
	EXPECT_EQ(status, 0);
}

MM_TEST(a_child_opens_a_mover_of_its_own)
{
	boot();
	take_area(AREA_PAGES);
	EXPECT(mm_map.process->mover > 0);
	stitch_in_child();
	EXPECT(mm_map.process->mover > 0);
}

/* --- what the kernel answers ------------------------------------------------------------------ */

MM_TEST(a_kernel_that_does_little_at_a_time_is_asked_again)
{
	size_t pfn;

	boot();
	os_fake_move_limit(37);
	pfn = take_area(UNIT_PAGES);
	EXPECT_EQ(count_moved_in(pfn, UNIT_PAGES), UNIT_PAGES - SAMPLED);
}

MM_TEST(a_kernel_that_never_gets_on_is_not_asked_for_ever)
{
	boot();
	os_fake_fail(OS_CALL_MOVE, 1, UINT_MAX, EAGAIN);
	alarm(60);
	take_area(UNIT_PAGES);
	EXPECT_EQ(stitch_counts.pages, 0);
	expect_runs_in_use_intact();
}

/* Free pages may have no frame, for all we know. They are holes once the kernel has said so. */
MM_TEST(absent_frames_are_found_out)
{
	size_t pfn, nr_absent = 0;

	boot();
	for (unsigned int i = 0; i < NR_RUNS; i += 4) {
		ASSERT(!madvise(pfn_to_virt(runs[i] + 10), 40 * PAGE_SIZE, MADV_DONTNEED));
		nr_absent += 40;
	}
	pfn = take_area(4000);
	EXPECT_EQ(count_resident(pfn, 4000), 4000);
	EXPECT_EQ(count_moved_in(pfn, 4000), 4000 - SAMPLED);
	EXPECT(zone.nr_free_touched < NR_RUNS / 2 * RUN_PAGES - (4000 - SAMPLED));
	EXPECT(zone.nr_free_touched >= NR_RUNS / 2 * RUN_PAGES - (4000 - SAMPLED) - nr_absent);
}

/* One in four pages has a frame: not worth a move each. After some such runs it gives up. */
MM_TEST(thinly_scattered_frames_are_dropped)
{
	boot();
	for (unsigned int i = 0; i < NR_RUNS; i++)
		for (size_t page = 0; page < RUN_PAGES; page++)
			if (page % 4)
				madvise(pfn_to_virt(runs[i] + page), PAGE_SIZE, MADV_DONTNEED);
	take_area(4000);
	EXPECT(os_fake_calls(OS_CALL_MOVE) <= 40);
	EXPECT(os_fake_calls(OS_CALL_MINCORE) <= 20);
	EXPECT(validate_zone());
}

/* With swap the question comes first: nothing shall be read back from disk to be overwritten. */
MM_TEST(with_swap_mincore_is_asked_first)
{
	size_t pfn;

	boot();
	os_fake_feature(OS_FEATURE_NO_SWAP, false);
	for (unsigned int i = 0; i < NR_RUNS; i += 4)
		ASSERT(!madvise(pfn_to_virt(runs[i] + 10), 40 * PAGE_SIZE, MADV_DONTNEED));
	pfn = take_area(4000);
	EXPECT_EQ(count_moved_in(pfn, 4000), 4000 - SAMPLED);
	EXPECT(os_fake_calls(OS_CALL_MINCORE) >= stitch_counts.runs);
}

/* Somebody has added it since, and this kernel may lose what is moved meanwhile. */
MM_TEST(where_swap_comes_up_moving_may_end)
{
	size_t nr_moves;

	boot();
	take_area(AREA_PAGES / 2);
	nr_moves = os_fake_calls(OS_CALL_MOVE);
	EXPECT(nr_moves > 0);
	os_fake_feature(OS_FEATURE_SAFE_SWAP, false);
	EXPECT_EQ(mover_error(), 0);
	os_fake_feature(OS_FEATURE_NO_SWAP, false);
	take_area(AREA_PAGES / 2);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE), nr_moves);
	EXPECT_EQ(mover_error(), -EOPNOTSUPP);
}

/* Descriptors are short at the moment: asked again after a while. */
MM_TEST(passing_failures_pass)
{
	unsigned int nr_tries = 0;

	boot();
	lock_acquire(LOCK_RECLAIM);
	os_fake_fail(OS_CALL_MOVER_OPEN, 1, 1, EMFILE);
	while (!mover_ready() && ++nr_tries < 100)
		EXPECT_EQ(mover_error(), 0);
	lock_release(LOCK_RECLAIM);
	EXPECT(nr_tries > 10 && nr_tries < 100);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVER_OPEN), 2);
	take_area(AREA_PAGES);
	EXPECT(stitch_counts.pages > 0);
}

MM_TEST(a_child_closes_what_it_has_inherited)
{
	boot();
	take_area(AREA_PAGES / 2);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVER_CLOSE), 0);
	mm_map.process->mover = 0; /* as the kernel does in a child */
	mm_map.process->nr_registered = 0;
	take_area(AREA_PAGES / 2);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVER_OPEN), 2);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVER_CLOSE), 1);
}

/* Nobody waits for memory to be given back. */
static _Atomic bool stop;

static void *hold_reclaim(void *argument)
{
	lock_acquire(LOCK_RECLAIM);
	while (!stop)
		os_nap(100);
	lock_release(LOCK_RECLAIM);
	return argument;
}

MM_TEST(who_gives_memory_back_is_not_waited_for)
{
	pthread_t thread;

	boot();
	ASSERT(!pthread_create(&thread, NULL, hold_reclaim, NULL));
	while (lock_try_acquire(LOCK_RECLAIM)) {
		lock_release(LOCK_RECLAIM);
		os_nap(100);
	}
	take_area(AREA_PAGES);
	EXPECT_EQ(stitch_counts.pages, 0);
	EXPECT_EQ(stitch_counts.no_lock, 1);
	stop = true;
	pthread_join(thread, NULL);
	take_area(AREA_PAGES);
	EXPECT(stitch_counts.pages > 0);
}

/* Locked memory has frames everywhere; they are zero, and may stay. */
MM_TEST(frames_in_the_way_are_left)
{
	size_t pfn;

	boot();
	os_fake_fail(OS_CALL_MOVE, 1, 1, EEXIST);
	pfn = take_area(AREA_PAGES);
	EXPECT_EQ(count_resident(pfn + PAGEBLOCK_PAGES, AREA_PAGES - PAGEBLOCK_PAGES),
		  AREA_PAGES - PAGEBLOCK_PAGES);
	EXPECT_EQ(count_moved_in(pfn, PAGEBLOCK_PAGES), 0);
	EXPECT_EQ(residency_count_touched(pfn, PAGEBLOCK_PAGES), PAGEBLOCK_PAGES); /* no holes */
}

MM_TEST(shared_frames_are_made_our_own)
{
	size_t pfn;

	boot();
	os_fake_fail(OS_CALL_MOVE, 1, 1, EBUSY);
	pfn = take_area(AREA_PAGES);
	EXPECT_EQ(os_fake_calls(OS_CALL_POPULATE), 1);
	EXPECT_EQ(stitch_counts.busy, 1);
	EXPECT_EQ(stitch_counts.repopulated, RUN_PAGES);
	EXPECT_EQ(count_moved_in(pfn, AREA_PAGES), AREA_PAGES - SAMPLED);
}

/* Pinned by a device: they are still busy then. */
MM_TEST(pinned_frames_are_left)
{
	boot();
	os_fake_fail(OS_CALL_MOVE, 1, 2, EBUSY);
	take_area(UNIT_PAGES);
	EXPECT_EQ(stitch_counts.busy, 1);
	EXPECT_EQ(stitch_counts.pages, UNIT_PAGES - SAMPLED);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE), 0);
}

MM_TEST(shared_frames_that_would_be_copied_are_dropped)
{
	boot();
	set_cost(&stitch_costs.fresh, 2000);
	set_cost(&stitch_costs.repopulated, 6000);
	os_fake_fail(OS_CALL_MOVE, 1, 1, EBUSY);
	take_area(UNIT_PAGES);
	EXPECT_EQ(os_fake_calls(OS_CALL_POPULATE), 0);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE), 1);
	EXPECT_EQ(stitch_counts.pages, UNIT_PAGES - SAMPLED);
}

MM_TEST(a_mover_that_the_program_has_closed_is_opened_once_more)
{
	boot();
	os_fake_fail(OS_CALL_MOVE, 1, 1, EBADF);
	take_area(UNIT_PAGES);
	EXPECT_EQ(stitch_counts.pages, 0);
	take_area(UNIT_PAGES);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVER_OPEN), 2);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVER_REGISTER), 2);
	EXPECT(stitch_counts.pages > 0);
	os_fake_fail(OS_CALL_MOVE, 1, 1, ENOTTY);
	take_area(UNIT_PAGES);
	take_area(UNIT_PAGES);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVER_OPEN), 2);
	EXPECT_EQ(mover_error(), -EBADF);
	expect_runs_in_use_intact();
}

MM_TEST(a_mover_that_cannot_is_given_up)
{
	boot();
	os_fake_fail(OS_CALL_MOVE, 1, UINT_MAX, EINVAL);
	take_area(AREA_PAGES);
	EXPECT(stitch_counts.failed >= 16);
	EXPECT_EQ(mover_error(), -EINVAL);
	take_area(AREA_PAGES);
	EXPECT_EQ(stitch_counts.no_mover, 1);
}

MM_TEST(no_memory_for_page_tables)
{
	boot();
	os_fake_fail(OS_CALL_MOVE, 3, 1, ENOMEM);
	take_area(AREA_PAGES);
	EXPECT_EQ(stitch_counts.runs, 2);
	EXPECT_EQ(stitch_counts.failed, 1);
	EXPECT_EQ(mover_error(), 0);
}

/* --- huge pages ------------------------------------------------------------------------------- */

#define HUGE_UNITS 4u

/* Holes, but no whole pageblock. */
#define PART_PAGES 500u
static size_t part;

/* Nothing is free but some units with frames in one part of the heap. */
static size_t boot_with_units(enum thp_setting thp)
{
	size_t pfn;

	params.stitch = STITCH_OFF;
	params.thp = thp; /* the part */
	boot_heap(MIB(512));
	part = page_to_pfn(run_alloc(PART_PAGES, 1));
	pfn = take_area(HUGE_UNITS * UNIT_PAGES);
	write_pages(pfn, HUGE_UNITS * UNIT_PAGES);
	take_area(UNIT_PAGES); /* keeps what comes next from being merged with them */
	ASSERT(area_free(pfn_to_page(pfn)));
	params.stitch = STITCH_UFFD;
	params.thp = THP_AUTO;
	return pfn;
}

static size_t count_huge(size_t pfn, size_t nr_pages)
{
	size_t count = 0;

	for (; nr_pages; pfn += PAGEBLOCK_PAGES, nr_pages -= PAGEBLOCK_PAGES)
		count += pfn_to_pageblock(pfn)->huge == HUGE_WHOLE;
	return count;
}

/* All that may be taken; no part of those that are left. */
MM_TEST(whole_huge_pages_move_as_such)
{
	size_t huge = boot_with_units(THP_AUTO), nr_blocks = HUGE_UNITS * UNIT_PAGEBLOCKS;
	size_t pfn, nr_moved;

	for (size_t i = 0; i < nr_blocks; i++)
		pfn_to_pageblock(huge + i * PAGEBLOCK_PAGES)->huge = HUGE_WHOLE;
	pfn = take_area(6 * UNIT_PAGES);
	nr_moved = stitch_counts.pages / PAGEBLOCK_PAGES;
	EXPECT(nr_moved >= nr_blocks / 2);
	EXPECT_EQ(stitch_counts.pages % PAGEBLOCK_PAGES, 0);
	EXPECT_EQ(stitch_counts.runs, nr_moved);
	/* The fake's are huge no more, as where the kernel has split them; and it was asked. */
	EXPECT_EQ(count_huge(pfn, 6 * UNIT_PAGES), 0);
	EXPECT_EQ(os_fake_calls(OS_CALL_HAS_HUGE_PAGE), nr_moved);
	EXPECT(os_fake_calls(OS_CALL_PURGE) >= nr_moved); /* an empty page table splits them */
	EXPECT_EQ(count_resident(pfn, 4096), nr_moved * PAGEBLOCK_PAGES + SAMPLED);
	EXPECT_EQ(count_resident(huge, HUGE_UNITS * UNIT_PAGES) % PAGEBLOCK_PAGES, 0);
}

MM_TEST(what_is_huge_after_a_move_is_known_to_be)
{
	size_t huge = boot_with_units(THP_AUTO), pfn;

	for (size_t i = 0; i < HUGE_UNITS * UNIT_PAGEBLOCKS; i++)
		pfn_to_pageblock(huge + i * PAGEBLOCK_PAGES)->huge = HUGE_WHOLE;
	os_fake_moved_is_huge(true);
	pfn = take_area(6 * UNIT_PAGES);
	EXPECT_EQ(count_huge(pfn, 6 * UNIT_PAGES), stitch_counts.pages / PAGEBLOCK_PAGES);
}

/* Kernels that may crash by it. */
MM_TEST(huge_pages_stay_where_moving_them_is_dangerous)
{
	size_t huge = boot_with_units(THP_AUTO);

	for (size_t i = 0; i < HUGE_UNITS * UNIT_PAGEBLOCKS; i++)
		pfn_to_pageblock(huge + i * PAGEBLOCK_PAGES)->huge = HUGE_WHOLE;
	os_fake_feature(OS_FEATURE_MOVE_HUGE, false);
	take_area(6 * UNIT_PAGES);
	EXPECT_EQ(stitch_counts.pages, 0);
}

/* Returns how many pages of the units have frames afterwards. */
static size_t want_part_of(size_t units)
{
	EXPECT_EQ(count_resident(part, PART_PAGES), 0);
	stitch_fill(part, PART_PAGES, 0, 0);
	EXPECT(validate_zone());
	return count_resident(units, HUGE_UNITS * UNIT_PAGES);
}

MM_TEST(no_part_of_what_was_made_huge_is_moved)
{
	size_t units = boot_with_units(THP_AUTO);

	for (size_t i = 0; i < HUGE_UNITS * UNIT_PAGEBLOCKS; i++)
		pfn_to_pageblock(units + i * PAGEBLOCK_PAGES)->huge = i % 2 ? HUGE_WHOLE :
									      HUGE_SPLIT;
	EXPECT(want_part_of(units) % PAGEBLOCK_PAGES == 0); /* dropped, perhaps */
	EXPECT_EQ(stitch_counts.pages, 0);
	EXPECT_EQ(os_fake_calls(OS_CALL_HAS_HUGE_PAGE), 0);
}

MM_TEST(no_part_of_what_the_kernel_has_made_huge_is_moved)
{
	size_t units = boot_with_units(THP_ALWAYS);

	os_want_huge_pages(pfn_to_virt(units), HUGE_UNITS * UNIT_BYTES);
	want_part_of(units);
	EXPECT_EQ(stitch_counts.pages, 0);
	EXPECT_EQ(os_fake_calls(OS_CALL_HAS_HUGE_PAGE), 1);
}

MM_TEST(what_is_no_huge_page_is_moved)
{
	size_t units = boot_with_units(THP_ALWAYS);

	EXPECT_EQ(want_part_of(units), HUGE_UNITS * UNIT_PAGES - (PART_PAGES - SAMPLED));
	EXPECT_EQ(stitch_counts.pages, PART_PAGES - SAMPLED);
	EXPECT(os_fake_calls(OS_CALL_HAS_HUGE_PAGE) > 0);
}

MM_TEST(where_it_cannot_be_told_nothing_is_moved)
{
	size_t units = boot_with_units(THP_ALWAYS);

	os_fake_feature(OS_FEATURE_HAS_HUGE_PAGE, false);
	want_part_of(units);
	EXPECT_EQ(stitch_counts.pages, 0);
}

RUN_TESTS
