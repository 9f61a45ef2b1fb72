/*
 * test_pagerun.c - runs in their blocks: fit, alignment, growing and shrinking in place, what
 * free refuses, and the empty block that is kept.
 */
#include <errno.h>

#include "base/bitmap.h"
#include "mm/page_alloc.h"
#include "mm/pagerun.h"
#include "mm/range.h"
#include "mm/residency.h"
#include "mm_test.h"

static size_t take(size_t nr_pages, size_t align_pages)
{
	struct page *page = run_alloc(nr_pages, align_pages);

	return page ? page_to_pfn(page) : SIZE_MAX;
}

static bool give(size_t pfn)
{
	return run_free(pfn_to_page(pfn));
}

MM_TEST(runs_are_packed)
{
	boot_heap(MIB(64));
	EXPECT_EQ(take(2, 1), 0);
	EXPECT_EQ(take(3, 1), 2);
	EXPECT_EQ(take(100, 1), 5);
	EXPECT_EQ(pfn_to_page(5)->kind, PAGE_RUN);
	EXPECT_EQ(pfn_to_page(5)->nr_pages, 100);
	EXPECT_EQ(pagemap_read(5), PAGEMAP_RUN);
	EXPECT_EQ(pagemap_read(6), 0);
	EXPECT_EQ(pfn_to_pageblock(5)->kind, PAGEBLOCK_RUNS);
	EXPECT_EQ(pfn_to_pageblock(5)->nr_used, 105);
	EXPECT_EQ(pfn_to_pageblock(5)->longest_free, 407);
	EXPECT_EQ(zone.nr_used[USE_RUN], 105);
	EXPECT(validate_zone());
	EXPECT(give(2));
	EXPECT_EQ(pagemap_read(2), 0);
	EXPECT_EQ(zone.nr_used[USE_RUN], 102);
	EXPECT_EQ(zone.nr_free_touched, 3);
	EXPECT_EQ(take(3, 1), 2); /* best fit: the gap */
	EXPECT_EQ(zone.nr_free_touched, 0);
	EXPECT(validate_zone());
}

MM_TEST(every_alignment_up_to_a_block)
{
	boot_heap(MIB(64));
	for (size_t align = 1; align <= RUN_MAX_PAGES; align *= 2) {
		size_t pfn = take(3, align);

		ASSERT(pfn != SIZE_MAX);
		EXPECT(is_aligned((uintptr_t)pfn_to_virt(pfn), align * PAGE_SIZE));
		EXPECT(validate_zone());
	}
	EXPECT_EQ(take(RUN_MAX_PAGES, RUN_MAX_PAGES) % PAGEBLOCK_PAGES, 0);
	EXPECT(validate_zone());
}

MM_TEST(the_block_that_fits_best_is_taken)
{
	boot_heap(MIB(64));
	ASSERT_EQ(take(500, 1), 0);
	ASSERT_EQ(take(400, 1), PAGEBLOCK_PAGES);
	ASSERT_EQ(take(480, 1), 2 * PAGEBLOCK_PAGES);
	EXPECT_EQ(take(32, 1), 2 * PAGEBLOCK_PAGES + 480);
	EXPECT_EQ(take(13, 1), PAGEBLOCK_PAGES + 400);
	EXPECT_EQ(take(12, 1), 500);
	EXPECT_EQ(take(100, 1), 3 * PAGEBLOCK_PAGES);
	EXPECT_EQ(take(99, 1), PAGEBLOCK_PAGES + 413);
	EXPECT(validate_zone());
}

MM_TEST(only_the_head_of_a_run_is_freed_and_only_once)
{
	boot_heap(MIB(64));
	ASSERT_EQ(take(4, 1), 0);
	ASSERT_EQ(take(4, 1), 4);
	EXPECT(!give(1));
	EXPECT(!give(100));
	EXPECT_EQ(zone.nr_used[USE_RUN], 8);
	EXPECT(give(0));
	EXPECT(!give(0));
	EXPECT_EQ(zone.nr_used[USE_RUN], 4);
	EXPECT(validate_zone());
	ASSERT_EQ(take(2, 1), 0); /* in the same place, shorter */
	EXPECT(!give(2));
	EXPECT(give(0));
	EXPECT(give(4));
	EXPECT(!give(4));
	EXPECT_EQ(zone.nr_used[USE_RUN], 0);
	EXPECT(validate_zone());
}

/* --- in place ------------------------------------------------------------------------------- */

MM_TEST(a_run_grows_into_free_pages_only)
{
	boot_heap(MIB(64));
	ASSERT_EQ(take(4, 1), 0);
	ASSERT_EQ(take(4, 1), 4);
	ASSERT_EQ(take(4, 1), 8);
	EXPECT(!run_resize(pfn_to_page(0), 5));
	EXPECT_EQ(pfn_to_page(0)->nr_pages, 4);
	EXPECT(give(4));
	EXPECT(!run_resize(pfn_to_page(0), 9));
	EXPECT(run_resize(pfn_to_page(0), 8));
	EXPECT_EQ(pfn_to_page(0)->nr_pages, 8);
	EXPECT_EQ(zone.nr_used[USE_RUN], 12);
	EXPECT_EQ(zone.nr_free_touched, 0);
	EXPECT(validate_zone());
	EXPECT(!give(4)); /* inside now */
	EXPECT(run_resize(pfn_to_page(8), PAGEBLOCK_PAGES - 8));
	EXPECT(!run_resize(pfn_to_page(8), PAGEBLOCK_PAGES - 7)); /* beyond the block */
	EXPECT_EQ(pfn_to_pageblock(0)->nr_used, PAGEBLOCK_PAGES);
	EXPECT_EQ(pfn_to_pageblock(0)->longest_free, 0);
	EXPECT(validate_zone());
}

MM_TEST(a_run_that_ends_with_its_block_cannot_grow)
{
	boot_heap(MIB(64));
	ASSERT_EQ(take(RUN_MAX_PAGES, 1), 0);
	EXPECT(!run_resize(pfn_to_page(0), RUN_MAX_PAGES + 1));
	EXPECT(!run_resize(pfn_to_page(0), 2 * RUN_MAX_PAGES));
	EXPECT(run_resize(pfn_to_page(0), RUN_MAX_PAGES));
	EXPECT(validate_zone());
	/* Nor into the free pages at its block's other end. */
	ASSERT(run_resize(pfn_to_page(0), RUN_MAX_PAGES - 1));
	ASSERT_EQ(take(1, 1), RUN_MAX_PAGES - 1);
	EXPECT(give(0));
	EXPECT(!run_resize(pfn_to_page(RUN_MAX_PAGES - 1), 2));
	EXPECT(validate_zone());
}

MM_TEST(a_run_shrinks_to_a_page)
{
	boot_heap(MIB(64));
	ASSERT_EQ(take(100, 1), 0);
	EXPECT(run_resize(pfn_to_page(0), 60));
	EXPECT_EQ(zone.nr_used[USE_RUN], 60);
	EXPECT_EQ(zone.nr_free_touched, 40);
	EXPECT(run_resize(pfn_to_page(0), 1));
	EXPECT_EQ(pfn_to_page(0)->nr_pages, 1);
	EXPECT_EQ(zone.nr_free_touched, 99);
	EXPECT_EQ(take(99, 1), 1);
	EXPECT(validate_zone());
	EXPECT(give(0));
	EXPECT_EQ(zone.nr_used[USE_RUN], 99);
	EXPECT(validate_zone());
}

/* --- blocks --------------------------------------------------------------------------------- */

MM_TEST(one_empty_block_is_kept)
{
	boot_heap(MIB(64));
	ASSERT_EQ(take(RUN_MAX_PAGES, 1), 0);
	ASSERT_EQ(take(RUN_MAX_PAGES, 1), PAGEBLOCK_PAGES);
	EXPECT_EQ(zone.nodes[0].nr_empty_run_blocks, 0);
	EXPECT(give(0));
	EXPECT_EQ(zone.nodes[0].nr_empty_run_blocks, 1);
	EXPECT_EQ(pfn_to_pageblock(0)->kind, PAGEBLOCK_RUNS);
	EXPECT(validate_zone());
	EXPECT(give(PAGEBLOCK_PAGES));
	EXPECT_EQ(zone.nodes[0].nr_empty_run_blocks, 1);
	EXPECT_EQ(pfn_to_pageblock(0)->kind, PAGEBLOCK_RUNS);
	EXPECT_EQ(pfn_to_pageblock(PAGEBLOCK_PAGES)->kind, PAGEBLOCK_BUDDY);
	EXPECT_EQ(pfn_to_page(PAGEBLOCK_PAGES)->kind, PAGE_BUDDY);
	EXPECT_EQ(pfn_to_page(PAGEBLOCK_PAGES)->order, PAGEBLOCK_ORDER);
	EXPECT_EQ(zone.nr_free_touched, UNIT_PAGES);
	EXPECT(validate_zone());
	EXPECT_EQ(take(7, 1), 0);
	EXPECT_EQ(zone.nodes[0].nr_empty_run_blocks, 0);
	EXPECT(validate_zone());
}

MM_TEST(blocks_merge_to_units_and_leave)
{
	size_t nr_blocks = 8;

	boot_heap(MIB(64));
	for (size_t i = 0; i < nr_blocks; i++)
		ASSERT_EQ(take(RUN_MAX_PAGES, 1), i * PAGEBLOCK_PAGES);
	for (size_t i = 0; i < nr_blocks; i++)
		EXPECT(give(i * PAGEBLOCK_PAGES));
	EXPECT_EQ(zone.nr_free_touched, 4 * UNIT_PAGES);
	/* Beside the one that is kept. */
	EXPECT_EQ(zone.nodes[0].free_area[PAGEBLOCK_ORDER].nr_free, 1);
	EXPECT_EQ(zone.nodes[0].free_area[MAX_PAGE_ORDER].nr_free, 1);
	EXPECT_EQ(range_unit(range_next_locked(RANGE_LOW, NULL)), 2);
	EXPECT_EQ(range_next_locked(RANGE_LOW, NULL)->nr_units, 2);
	EXPECT(validate_zone());
}

MM_TEST(no_memory_no_run_and_nothing_lost)
{
	boot_heap(MIB(16));
	for (unsigned int nth = 1; nth <= 4; nth++) {
		os_fake_fail(OS_CALL_OPEN, nth, UINT_MAX, ENOMEM);
		EXPECT_EQ(take(5, 1), SIZE_MAX);
		EXPECT(validate_zone());
	}
	os_fake_fail(OS_CALL_OPEN, 0, 0, 0);
	for (size_t i = 0; i < 8; i++)
		ASSERT_EQ(take(511, 1), i * PAGEBLOCK_PAGES);
	EXPECT_EQ(take(2, 1), SIZE_MAX);
	EXPECT_EQ(take(1, 2), SIZE_MAX); /* there are pages, but none at an even place */
	EXPECT(validate_zone());
	EXPECT_EQ(take(1, 1) % PAGEBLOCK_PAGES, 511);
	EXPECT(give(3 * PAGEBLOCK_PAGES));
	EXPECT_EQ(take(400, 256), 3 * PAGEBLOCK_PAGES);
	EXPECT(validate_zone());
}

/* Many blocks of one bucket that are a little too short must not hide the last one that fits. */
MM_TEST(the_last_gap_is_found_when_there_is_nothing_else)
{
	boot_heap(MIB(64));
	for (size_t block = 0; block < 32; block++)
		ASSERT_EQ(take(PAGEBLOCK_PAGES - (block ? 100 : 110), 1), block * PAGEBLOCK_PAGES);
	EXPECT_EQ(take(110, 1), PAGEBLOCK_PAGES - 110);
	EXPECT_EQ(take(110, 1), SIZE_MAX);
	EXPECT(validate_zone());
}

/* --- reclaim's view --------------------------------------------------------------------------- */

MM_TEST(touched_free_pages_are_isolated_one_stretch_at_a_time)
{
	struct pageblock *block;
	size_t nr_pages;

	boot_heap(MIB(64));
	for (size_t i = 0; i < 5; i++)
		ASSERT_EQ(take(10, 1), i * 10);
	EXPECT(give(10));
	EXPECT(give(40));
	EXPECT_EQ(zone.nr_free_touched, 20);
	block = pfn_to_pageblock(0);
	zone_lock();
	EXPECT_EQ(run_isolate_locked(block, 0, 1, &nr_pages), 10);
	EXPECT_EQ(nr_pages, 10);
	EXPECT_EQ(run_isolate_locked(block, 20, 1, &nr_pages), 40);
	EXPECT_EQ(nr_pages, 10); /* the pages behind were never touched */
	run_isolate_locked(block, 50, 1, &nr_pages);
	EXPECT_EQ(nr_pages, 0);
	EXPECT_EQ(zone.nr_free_touched, 0);
	zone_unlock();
	EXPECT_EQ(take(10, 1), 50); /* isolated pages are nobody's */
	zone_lock();
	residency_note_purged(40, 10);
	run_unisolate_locked(40, 10);
	run_unisolate_locked(10, 10);
	EXPECT_EQ(zone.nr_free_touched, 10);
	zone_unlock();
	EXPECT(validate_zone());
	EXPECT_EQ(take(10, 1), 10);
	EXPECT(validate_zone());
}

MM_TEST(the_kept_block_can_be_isolated_and_returned)
{
	struct pageblock *block;
	size_t nr_pages;

	boot_heap(MIB(64));
	ASSERT_EQ(take(RUN_MAX_PAGES, 1), 0);
	EXPECT(give(0));
	block = pfn_to_pageblock(0);
	zone_lock();
	EXPECT_EQ(run_isolate_locked(block, 0, 1, &nr_pages), 0);
	EXPECT_EQ(nr_pages, RUN_MAX_PAGES);
	EXPECT_EQ(zone.nodes[0].nr_empty_run_blocks, 0);
	zone_unlock();
	ASSERT_EQ(take(8, 1), PAGEBLOCK_PAGES);
	EXPECT(give(PAGEBLOCK_PAGES)); /* this one is kept now */
	zone_lock();
	run_unisolate_locked(0, RUN_MAX_PAGES);
	zone_unlock();
	EXPECT_EQ(block->kind, PAGEBLOCK_BUDDY);
	EXPECT_EQ(zone.nodes[0].nr_empty_run_blocks, 1);
	EXPECT_EQ(zone.nr_free_touched, RUN_MAX_PAGES + 8);
	EXPECT(validate_zone());
}

TEST(longest_free_stretch)
{
	uint64_t random = kunit_seed(), map[PAGEBLOCK_WORDS];

	for (unsigned int round = 0; round < 100000; round++) {
		unsigned int density = (unsigned int)kunit_below(&random, 40);
		size_t longest = 0, length = 0;

		memset(map, 0, sizeof(map));
		for (unsigned int i = 0; i < density; i++) {
			size_t first = kunit_below(&random, PAGEBLOCK_PAGES);
			size_t nr = kunit_below(&random, PAGEBLOCK_PAGES - first) >> density / 4;

			bitmap_set_range(map, first, nr + 1);
		}
		for (size_t bit = 0; bit < PAGEBLOCK_PAGES; bit++) {
			length = bitmap_test(map, bit) ? 0 : length + 1;
			longest = max_size(longest, length);
		}
		ASSERT_EQ(run_map_longest_free(map), longest);
	}
}

RUN_TESTS
