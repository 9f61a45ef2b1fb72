/*
 * test_page_alloc.c - the buddy: split, merge, units in and out, which block is taken first.
 */
#include <errno.h>

#include "mm/page_alloc.h"
#include "mm/range.h"
#include "mm/residency.h"
#include "mm_test.h"

static struct page *take(unsigned int order)
{
	struct page *page;

	zone_lock();
	page = alloc_pages_locked(order);
	if (page)
		zone_count_locked(USE_SLAB, (ptrdiff_t)1 << order);
	zone_unlock();
	return page;
}

static void give(struct page *page, unsigned int order)
{
	zone_lock();
	zone_count_locked(USE_SLAB, -((ptrdiff_t)1 << order));
	free_pages_locked(page, order);
	zone_unlock();
}

/* Free blocks by order, lowest first, as "1 1 0 0 ...". */
static const char *free_blocks(void)
{
	static char text[64];
	int length = 0;

	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		length += snprintf(text + length, sizeof(text) - (size_t)length, "%s%zu",
				   order ? " " : "", zone.nodes[0].free_area[order].nr_free);
	return text;
}

MM_TEST(blocks_of_every_order_are_aligned_and_nobodys)
{
	boot_heap(MIB(64));
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		struct page *page = take(order);

		ASSERT(page);
		EXPECT(is_aligned(page_to_pfn(page), (size_t)1 << order));
		EXPECT_EQ(page->kind, PAGE_NONE);
		EXPECT_EQ(zone.nr_used[USE_SLAB], ((size_t)2 << order) - 1);
		EXPECT(validate_zone());
	}
}

MM_TEST(a_unit_is_split_and_made_whole)
{
	struct page *page;

	boot_heap(MIB(64));
	EXPECT_STREQ(free_blocks(), "0 0 0 0 0 0 0 0 0 0 0");
	page = take(0);
	ASSERT(page);
	EXPECT_EQ(page_to_pfn(page), 0);
	EXPECT_STREQ(free_blocks(), "1 1 1 1 1 1 1 1 1 1 0");
	give(page, 0);
	EXPECT_STREQ(free_blocks(), "0 0 0 0 0 0 0 0 0 0 1");
	page = take(9);
	EXPECT_STREQ(free_blocks(), "0 0 0 0 0 0 0 0 0 1 0");
	give(page, 9);
	EXPECT_STREQ(free_blocks(), "0 0 0 0 0 0 0 0 0 0 1");
	EXPECT(validate_zone());
}

MM_TEST(merging_waits_for_the_buddy)
{
	struct page *pages[UNIT_PAGES];

	boot_heap(MIB(64));
	for (size_t i = 0; i < UNIT_PAGES; i++)
		ASSERT((pages[i] = take(0)));
	EXPECT_STREQ(free_blocks(), "0 0 0 0 0 0 0 0 0 0 0");
	for (size_t i = 0; i < UNIT_PAGES; i += 2)
		give(pages[i], 0);
	EXPECT_STREQ(free_blocks(), "512 0 0 0 0 0 0 0 0 0 0");
	for (size_t i = 1; i < UNIT_PAGES; i += 4)
		give(pages[i], 0);
	EXPECT_STREQ(free_blocks(), "256 256 0 0 0 0 0 0 0 0 0");
	EXPECT(validate_zone());
	for (size_t i = 3; i < UNIT_PAGES; i += 4)
		give(pages[i], 0);
	EXPECT_STREQ(free_blocks(), "0 0 0 0 0 0 0 0 0 0 1");
	EXPECT_EQ(zone.nr_free_touched, UNIT_PAGES);
	EXPECT(validate_zone());
}

MM_TEST(one_free_unit_stays_the_others_are_exported)
{
	struct page *pages[3];

	boot_heap(MIB(64));
	for (size_t i = 0; i < 3; i++)
		ASSERT((pages[i] = take(MAX_PAGE_ORDER)));
	for (size_t i = 0; i < 3; i++) {
		give(pages[i], MAX_PAGE_ORDER);
		EXPECT_EQ(zone.nodes[0].free_area[MAX_PAGE_ORDER].nr_free, 1);
	}
	EXPECT_EQ(pfn_to_pageblock(0)->kind, PAGEBLOCK_BUDDY);
	EXPECT_EQ(pfn_to_pageblock(UNIT_PAGES)->kind, PAGEBLOCK_RANGE);
	EXPECT_EQ(pfn_to_pageblock(UNIT_PAGES)->nr_units, 2);
	EXPECT_EQ(pfn_to_pageblock(2 * UNIT_PAGES)->kind, PAGEBLOCK_NONE);
	EXPECT_EQ(pfn_to_page(UNIT_PAGES)->kind, PAGE_NONE);
	EXPECT(validate_zone());
	/* And back. */
	ASSERT(take(MAX_PAGE_ORDER));
	ASSERT(take(0));
	EXPECT_EQ(pfn_to_pageblock(UNIT_PAGES)->kind, PAGEBLOCK_BUDDY);
	EXPECT_EQ(pfn_to_pageblock(UNIT_PAGES + PAGEBLOCK_PAGES)->kind, PAGEBLOCK_BUDDY);
	EXPECT(validate_zone());
}

MM_TEST(touched_blocks_come_before_untouched_ones)
{
	struct page *untouched, *touched;

	boot_heap(MIB(64));
	untouched = take(0);
	touched = take(3);
	ASSERT(untouched && touched);
	EXPECT_EQ(zone.nr_free_touched, 0);
	give(touched, 3);
	EXPECT_EQ(zone.nr_free_touched, 8);
	EXPECT(is_touched(page_to_pfn(touched)));
	/* Free blocks of order 0 to 2 lie in between and have never been touched. */
	EXPECT_EQ(take(0), touched);
	EXPECT_EQ(zone.nr_free_touched, 7);
	EXPECT_EQ(take(2), touched + 4);
	EXPECT_EQ(zone.nr_free_touched, 3);
	EXPECT(validate_zone());
}

MM_TEST(a_block_that_will_soon_merge_is_taken_last)
{
	struct page *pages[16];

	boot_heap(MIB(64));
	for (size_t i = 0; i < 16; i++)
		ASSERT((pages[i] = take(0)));
	give(pages[2], 0);
	give(pages[3], 0); /* 2 and 3 are one block of order 1 */
	give(pages[8], 0); /* nothing near it is free */
	give(pages[0], 0); /* with 1 it would make a block of order 2 */
	EXPECT_EQ(take(0), pages[8]);
	give(pages[8], 0);
	give(pages[1], 0);
	EXPECT_EQ(zone.nodes[0].free_area[2].nr_free, 1); /* 0 to 3 */
	EXPECT(validate_zone());
}

static void give_twice(void)
{
	struct page *page = take(2), *guard = take(2);

	ASSERT(page && guard);
	give(page, 2);
	give(page, 2);
}

static void give_misaligned(void)
{
	struct page *page = take(2);

	ASSERT(page);
	give(page + 1, 2);
}

MM_TEST(a_block_that_is_free_already_is_a_bug)
{
	boot_heap(MIB(64));
	EXPECT_DEATH(give_twice(), "BUG at page_alloc.c");
	EXPECT_DEATH(give_misaligned(), "BUG at page_alloc.c");
}

static void alloc_unlocked(void)
{
	alloc_pages_locked(0);
}

MM_TEST(the_lock_is_wanted)
{
	boot_heap(MIB(64));
	if (CONFIG_DEBUG)
		EXPECT_DEATH(alloc_unlocked(), "BUG at page_alloc.c");
	else
		alloc_unlocked();
}

MM_TEST(no_memory_no_block_and_nothing_lost)
{
	struct page *page;

	boot_heap(MIB(16));
	for (unsigned int nth = 1; nth <= 4; nth++) {
		os_fake_fail(OS_CALL_OPEN, nth, UINT_MAX, ENOMEM);
		EXPECT(!take(3));
		EXPECT_EQ(zone.nr_opened, 0);
		EXPECT(validate_zone());
	}
	os_fake_fail(OS_CALL_OPEN, 0, 0, 0);
	page = take(3);
	ASSERT(page);
	for (unsigned int unit = 1; unit < 4; unit++)
		ASSERT(take(MAX_PAGE_ORDER));
	EXPECT(!take(MAX_PAGE_ORDER));
	EXPECT(take(9));
	EXPECT(!take(9));
	EXPECT(validate_zone());
	give(page, 3);
	EXPECT(take(8));
	EXPECT(take(8));
	EXPECT(!take(0));
	EXPECT(validate_zone());
}

/* HIGH has eaten all address space and given it back. */
MM_TEST(units_come_from_the_other_part_when_there_are_no_others)
{
	struct page *page;
	size_t unit;

	boot_heap(MIB(16));
	zone_lock();
	ASSERT(range_alloc_locked(RANGE_HIGH, 4, 1, &unit));
	range_free_locked(unit, 4);
	zone_unlock();
	page = take(0);
	ASSERT(page);
	EXPECT_EQ(page_to_pfn(page), 3 * UNIT_PAGES);
	for (unsigned int i = 0; i < 3; i++)
		ASSERT(take(MAX_PAGE_ORDER));
	give(page, 0);
	give(pfn_to_page(0), MAX_PAGE_ORDER);
	EXPECT_EQ(pfn_to_pageblock(0)->kind, PAGEBLOCK_RANGE);
	EXPECT_EQ(pfn_to_pageblock(0)->part, RANGE_HIGH);
	EXPECT(validate_zone());
}

MM_TEST(an_isolated_block_is_nobodys_and_comes_back_as_it_is)
{
	struct page *page, *guard;

	boot_heap(MIB(64));
	page = take(4);
	guard = take(4);
	ASSERT(page && guard);
	give(page, 4);
	EXPECT_EQ(zone.nr_free_touched, 16);
	zone_lock();
	buddy_isolate_locked(page);
	EXPECT_EQ(page->kind, PAGE_NONE);
	EXPECT_EQ(zone.nr_free_touched, 0);
	EXPECT_EQ(zone.nodes[0].free_area[4].nr_free, 0);
	residency_note_purged(page_to_pfn(page), 10);
	buddy_unisolate_locked(page, 4);
	EXPECT_EQ(zone.nr_free_touched, 6);
	zone_unlock();
	EXPECT_EQ(zone.nodes[0].free_area[4].nr_free, 1);
	EXPECT(validate_zone());
	give(guard, 4);
	EXPECT_STREQ(free_blocks(), "0 0 0 0 0 0 0 0 0 0 1");
	EXPECT_EQ(zone.nr_free_touched, 22);
	EXPECT(validate_zone());
}

MM_TEST(a_dropped_block_is_on_the_list_of_holes)
{
	struct page *page, *guard;

	boot_heap(MIB(64));
	page = take(1);
	guard = take(1);
	ASSERT(page && guard);
	give(page, 1);
	EXPECT_EQ(zone.nodes[0].free_area[1].free_list[FREE_TOUCHED].next, &page->list);
	zone_lock();
	buddy_isolate_locked(page);
	residency_note_purged(page_to_pfn(page), 2);
	buddy_unisolate_locked(page, 1);
	zone_unlock();
	EXPECT_EQ(zone.nodes[0].free_area[1].free_list[FREE_HOLE].next, &page->list);
	EXPECT(list_empty(&zone.nodes[0].free_area[1].free_list[FREE_TOUCHED]));
	EXPECT(validate_zone());
}

RUN_TESTS
