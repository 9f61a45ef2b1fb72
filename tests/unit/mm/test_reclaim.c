/*
 * test_reclaim.c - every free page goes back to the system, no page in use does, and a page is a
 * hole only when the kernel said so.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "mm/page_alloc.h"
#include "mm/pagerun.h"
#include "mm/range.h"
#include "mm/reclaim.h"
#include "mm/residency.h"
#include "mm_test.h"

static size_t write_pages(size_t pfn, size_t nr_pages)
{
	for (size_t i = 0; i < nr_pages; i++)
		*first_word(pfn + i) = pfn + i + 1;
	return nr_pages;
}

static bool pages_read(size_t pfn, size_t nr_pages, bool as_written)
{
	for (size_t i = 0; i < nr_pages; i++)
		if (*first_word(pfn + i) != (as_written ? pfn + i + 1 : 0))
			return false;
	return true;
}

static size_t take_run(size_t nr_pages)
{
	struct page *page = run_alloc(nr_pages, 1);

	ASSERT(page);
	write_pages(page_to_pfn(page), nr_pages);
	return page_to_pfn(page);
}

static size_t take_block(unsigned int order)
{
	struct page *page;

	zone_lock();
	page = alloc_pages_locked(order);
	zone_count_locked(USE_SLAB, (ptrdiff_t)1 << order);
	zone_unlock();
	ASSERT(page);
	write_pages(page_to_pfn(page), (size_t)1 << order);
	return page_to_pfn(page);
}

static void give_block(size_t pfn, unsigned int order)
{
	zone_lock();
	zone_count_locked(USE_SLAB, -((ptrdiff_t)1 << order));
	free_pages_locked(pfn_to_page(pfn), order);
	zone_unlock();
}

static void free_runs(const size_t *runs, size_t nr_runs)
{
	for (size_t i = 0; i < nr_runs; i++)
		ASSERT(run_free(pfn_to_page(runs[i])));
}

/* A unit that was in use and is a free range of the HIGH part now. */
static size_t free_range(void)
{
	size_t unit, pfn;

	zone_lock();
	ASSERT(range_alloc_locked(RANGE_HIGH, 1, 1, &unit));
	pfn = unit * UNIT_PAGES;
	residency_note_taken(pfn, UNIT_PAGES);
	residency_note_freed(pfn, write_pages(pfn, UNIT_PAGES));
	range_free_locked(unit, 1);
	zone_unlock();
	return pfn;
}

MM_TEST(an_empty_heap_has_nothing_to_give)
{
	boot_heap(MIB(64));
	EXPECT_EQ(reclaim_all(), 0);
	EXPECT(run_alloc(3, 1));
	EXPECT_EQ(reclaim_all(), 0);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE_RANGES), 0);
	EXPECT(validate_zone());
}

MM_TEST(free_pages_of_every_kind_are_dropped_and_no_others)
{
	size_t run, free_run, block, free_block, range;

	boot_heap(MIB(64));
	run = take_run(7);
	free_run = take_run(5);
	block = take_block(3);
	free_block = take_block(4);
	range = free_range();
	ASSERT(run_free(pfn_to_page(free_run)));
	give_block(free_block, 4);
	EXPECT_EQ(zone.nr_free_touched, 5 + 16 + UNIT_PAGES);
	EXPECT(validate_zone());

	EXPECT_EQ(reclaim_all(), 5 + 16 + UNIT_PAGES);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE_RANGES), 2); /* and once for struct pages */
	EXPECT_EQ(zone.nr_free_touched, 0);
	EXPECT(validate_zone());
	EXPECT(pages_read(run, 7, true));
	EXPECT(pages_read(block, 8, true));
	EXPECT(pages_read(free_run, 5, false));
	EXPECT(pages_read(free_block, 16, false));
	EXPECT(pages_read(range, UNIT_PAGES, false));
	EXPECT(!is_touched(free_run) && !is_touched(free_block) && !is_touched(range));
	EXPECT_EQ(reclaim_all(), 0);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE_RANGES), 2);
}

MM_TEST(struct_pages_of_dropped_units_are_dropped)
{
	size_t range, block;

	boot_heap(MIB(64));
	block = take_block(4);
	range = free_range();
	give_block(block, 4);
	pfn_to_page(range)->nr_pages = 1;
	pfn_to_page(range + UNIT_PAGES - 1)->nr_pages = 1;
	pfn_to_page(UNIT_PAGES - 1)->nr_pages = 1;
	EXPECT_EQ(reclaim_all(), UNIT_PAGES + 16);
	EXPECT_EQ(pfn_to_page(range)->nr_pages, 0);
	EXPECT_EQ(pfn_to_page(range + UNIT_PAGES - 1)->nr_pages, 0);
	EXPECT_EQ(pfn_to_page(UNIT_PAGES - 1)->nr_pages, 1);
	EXPECT(validate_zone());
}

MM_TEST(struct_pages_of_refused_units_stay)
{
	size_t range;

	boot_heap(MIB(64));
	range = free_range();
	pfn_to_page(range)->nr_pages = 1;
	os_fake_fail(OS_CALL_PURGE_RANGES, 1, 1, EINVAL);
	EXPECT_EQ(reclaim_all(), 0);
	EXPECT_EQ(pfn_to_page(range)->nr_pages, 1);
	EXPECT(validate_zone());
}

MM_TEST(the_kept_run_block_is_dropped_too)
{
	size_t run;

	boot_heap(MIB(64));
	run = take_run(RUN_MAX_PAGES);
	ASSERT(run_free(pfn_to_page(run)));
	EXPECT_EQ(zone.nodes[0].nr_empty_run_blocks, 1);
	EXPECT_EQ(reclaim_all(), RUN_MAX_PAGES);
	EXPECT_EQ(zone.nodes[0].nr_empty_run_blocks, 1);
	EXPECT(pages_read(run, RUN_MAX_PAGES, false));
	EXPECT(validate_zone());
	EXPECT_EQ(take_run(3), run);
}

/* More stretches than one call takes, in one block and in many. */
MM_TEST(many_stretches_take_several_batches)
{
	size_t runs[1500], nr_free = 0;

	boot_heap(MIB(64));
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++)
		runs[i] = take_run(2 + i % 2);
	for (size_t i = 0; i < ARRAY_SIZE(runs); i += 2, nr_free += 2)
		ASSERT(run_free(pfn_to_page(runs[i])));
	EXPECT_EQ(reclaim_all(), nr_free);
	EXPECT_EQ(zone.nr_free_touched, 0);
	EXPECT(os_fake_calls(OS_CALL_PURGE_RANGES) > 10);
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++)
		EXPECT(pages_read(runs[i], 2 + i % 2, i % 2));
	EXPECT(validate_zone());
}

/* --- what the kernel refuses --------------------------------------------------------------- */

static size_t first_four[4];

/* Four free stretches of 4, 3, 2 and 1 pages, with runs in use between them. */
static void four_stretches(void)
{
	boot_heap(MIB(64));
	for (size_t i = 0; i < 4; i++) {
		first_four[i] = take_run(4 - i);
		take_run(1);
	}
	free_runs(first_four, 4);
	EXPECT_EQ(zone.nr_free_touched, 10);
}

static void expect_dropped(const char *which)
{
	size_t nr_touched = 0;

	for (size_t i = 0; i < 4; i++) {
		bool dropped = which[i] == 'd';

		nr_touched += dropped ? 0 : 4 - i;
		EXPECT_EQ(residency_count_touched(first_four[i], 4 - i), dropped ? 0 : 4 - i);
		EXPECT(pages_read(first_four[i], 4 - i, !dropped));
	}
	EXPECT_EQ(zone.nr_free_touched, nr_touched);
	EXPECT(validate_zone());
}

MM_TEST(a_refused_call_makes_no_hole)
{
	four_stretches();
	os_fake_fail(OS_CALL_PURGE_RANGES, 1, UINT_MAX, EINVAL);
	EXPECT_EQ(reclaim_all(), 0);
	expect_dropped("....");
	os_fake_fail(OS_CALL_PURGE_RANGES, 0, 0, 0);
	EXPECT_EQ(reclaim_all(), 10);
	expect_dropped("dddd");
}

MM_TEST(only_what_was_reported_is_a_hole)
{
	four_stretches();
	os_fake_purge_limit(2);
	os_fake_fail(OS_CALL_PURGE_RANGES, 2, UINT_MAX, EINVAL);
	EXPECT_EQ(reclaim_all(), 7);
	expect_dropped("dd..");
}

MM_TEST(a_kernel_that_does_little_at_a_time_is_asked_again)
{
	four_stretches();
	os_fake_purge_limit(1);
	EXPECT_EQ(reclaim_all(), 10);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE_RANGES), 4);
	expect_dropped("dddd");
}

/* As for locked memory in the midst of the heap. */
MM_TEST(a_refused_range_is_passed_over)
{
	four_stretches();
	os_fake_feature(OS_FEATURE_VECTORED_PURGE, false);
	os_fake_fail(OS_CALL_PURGE, 2, 2, EINVAL); /* in the batch, and again alone */
	EXPECT_EQ(reclaim_all(), 7);
	expect_dropped("d.dd");
}

MM_TEST(a_refused_first_range_is_passed_over)
{
	four_stretches();
	os_fake_feature(OS_FEATURE_VECTORED_PURGE, false);
	os_fake_fail(OS_CALL_PURGE, 1, 1, EINVAL);
	EXPECT_EQ(reclaim_all(), 6);
	expect_dropped(".ddd");
}

/* A block full of refused stretches does not hide those behind it. */
MM_TEST(a_refused_block_is_passed_over)
{
	size_t runs[200], last;

	boot_heap(MIB(64));
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++)
		runs[i] = take_run(1);
	for (size_t i = 0; i < ARRAY_SIZE(runs); i += 2)
		ASSERT(run_free(pfn_to_page(runs[i])));
	take_run(PAGEBLOCK_PAGES - 200);
	last = take_run(6);
	ASSERT(last >= PAGEBLOCK_PAGES);
	take_run(1);
	ASSERT(run_free(pfn_to_page(last)));
	/* One batch of 64, each tried alone, is refused whole; 35 more and the run are not. */
	os_fake_fail(OS_CALL_PURGE_RANGES, 1, 64, EINVAL);
	EXPECT_EQ(reclaim_all(), 35 + 6);
	EXPECT(!is_touched(last));
	EXPECT(is_touched(runs[0]));
	EXPECT(validate_zone());
}

/* The same from the kernel itself. (AddressSanitizer makes libc's mlock do nothing.) */
MM_TEST(locked_memory_stays_what_it_is)
{
	four_stretches();
	ASSERT(!syscall(SYS_mlock, pfn_to_virt(first_four[1]), 3 * PAGE_SIZE));
	EXPECT_EQ(reclaim_all(), 7);
	expect_dropped("d.dd");
	ASSERT(!syscall(SYS_munlock, pfn_to_virt(first_four[1]), 3 * PAGE_SIZE));
	EXPECT_EQ(reclaim_all(), 3);
	expect_dropped("dddd");
}

/* Only pages that the kernel says are in memory become RESIDENT; nothing is dropped or taken. */
MM_TEST(the_kernel_is_asked_which_free_pages_have_frames)
{
	size_t run, kept;

	boot_heap(MIB(64));
	run = page_to_pfn(run_alloc(40, 1)); /* not written to, as take_run does */
	kept = take_run(3);
	memset(pfn_to_virt(run + 10), 1, 5 * PAGE_SIZE);
	ASSERT(run_free(pfn_to_page(run)));
	EXPECT_EQ(reclaim_resolve(), 5);
	for (size_t i = 0; i < 40; i++)
		EXPECT_EQ(is_proved(run + i), i >= 10 && i < 15);
	EXPECT(!is_proved(kept));
	EXPECT_EQ(zone.nr_free_touched, 40);
	EXPECT(validate_zone());
	EXPECT_EQ(take_run(40), run);
	ASSERT(run_free(pfn_to_page(run)));
	EXPECT(!is_proved(run + 10)); /* the program had it again */
	os_fake_fail(OS_CALL_MINCORE, 1, 1, ENOMEM);
	EXPECT_EQ(reclaim_resolve(), 0);
	EXPECT(validate_zone());
}

RUN_TESTS
