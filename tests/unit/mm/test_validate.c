/*
 * test_validate.c - the validator sees every kind of damage that it claims to see.
 */
#include "mm/page_alloc.h"
#include "mm/pagerun.h"
#include "mm/range.h"
#include "mm_test.h"

/* Something of everything: runs, buddy blocks touched and not, ranges in both parts. */
static void build_heap(void)
{
	struct page *page;
	size_t low, high;

	boot_heap(MIB(64));
	ASSERT(run_alloc(3, 1) && run_alloc(4, 1));
	ASSERT(run_free(pfn_to_page(0)));
	zone_lock();
	ASSERT(range_alloc_locked(RANGE_LOW, 3, 1, &low) &&
	       range_alloc_locked(RANGE_HIGH, 3, 1, &high));
	range_free_locked(low, 1);
	range_free_locked(low + 2, 1);
	range_free_locked(high, 1);
	range_free_locked(high + 2, 1);
	zone_count_locked(USE_AREA, 2 * UNIT_PAGES);
	page = alloc_pages_locked(2);
	ASSERT(page && alloc_pages_locked(2));
	zone_count_locked(USE_SLAB, 4);
	free_pages_locked(page, 2);
	zone_unlock();
	ASSERT(validate_zone());
}

/* Change a place; the validator must say no, and yes when it is as before. */
#define EXPECT_SEEN(place, wrong) \
	do { \
		__typeof__(place) right = (place); \
		(place) = (wrong); \
		EXPECT(!validate_zone()); \
		(place) = right; \
		EXPECT(validate_zone()); \
	} while (0)

static struct page *free_block(enum free_list list)
{
	for (unsigned int order = 0; order < MAX_PAGE_ORDER; order++) {
		struct list_head *head = &zone.nodes[0].free_area[order].free_list[list];

		if (!list_empty(head))
			return list_first_entry(head, struct page, list);
	}
	return NULL;
}

MM_TEST(damage_to_the_buddy)
{
	struct page *touched, *hole;

	build_heap();
	touched = free_block(FREE_TOUCHED);
	hole = free_block(FREE_HOLE);
	ASSERT(touched && hole);
	EXPECT_SEEN(touched->kind, PAGE_NONE);
	EXPECT_SEEN(touched->order, (uint8_t)(touched->order + 1));
	EXPECT_SEEN(hole->kind, PAGE_RUN);
	EXPECT_SEEN(pfn_to_pageblock(page_to_pfn(hole))->kind, PAGEBLOCK_NONE);
	EXPECT_SEEN(zone.nodes[0].free_area[hole->order].nr_free, 7);
	EXPECT_SEEN(mm_map.pagemap[page_to_pfn(hole)], PAGEMAP_RUN);
	/* One on the wrong list: */
	EXPECT_SEEN(pfn_to_pageblock(page_to_pfn(hole))->touched[page_to_pfn(hole) % 512 / 64],
		    UINT64_MAX);
}

MM_TEST(buddies_that_should_have_merged)
{
	struct page *page, *buddy;

	build_heap();
	page = free_block(FREE_TOUCHED);
	ASSERT(page);
	buddy = pfn_to_page(page_to_pfn(page) ^ (size_t)1 << page->order);
	ASSERT_EQ(buddy->kind, PAGE_NONE);
	buddy->order = page->order;
	EXPECT_SEEN(buddy->kind, PAGE_BUDDY);
}

MM_TEST(damage_to_run_blocks)
{
	struct pageblock *block;

	build_heap();
	block = pfn_to_pageblock(0);
	ASSERT_EQ(block->kind, PAGEBLOCK_RUNS);
	EXPECT_SEEN(block->kind, PAGEBLOCK_BUDDY);
	EXPECT_SEEN(block->nr_used, 5);
	EXPECT_SEEN(block->longest_free, 504);
	EXPECT_SEEN(block->bucket, 0);
	EXPECT_SEEN(block->run_map[7], 1);
	EXPECT_SEEN(zone.nodes[0].run_bucket_mask, 0);
	EXPECT_SEEN(zone.nodes[0].run_bucket_mask, zone.nodes[0].run_bucket_mask | 1);
	EXPECT_SEEN(zone.nodes[0].nr_empty_run_blocks, 1);
}

MM_TEST(damage_to_ranges)
{
	build_heap();
	for (unsigned int part = 0; part < NR_RANGE_PARTS; part++) {
		struct pageblock *range = range_next_locked((enum range_part)part, NULL);

		ASSERT(range);
		EXPECT_SEEN(range->kind, PAGEBLOCK_NONE);
		EXPECT_SEEN(range->part, !part);
		EXPECT_SEEN(range->nr_units, 2);
		EXPECT_SEEN(range->nr_units, 0);
		EXPECT_SEEN(range->subtree_max, range->subtree_max + 1);
		EXPECT_SEEN(range->node.rb_parent_color, range->node.rb_parent_color ^ 1);
	}
}

MM_TEST(damage_to_the_sums)
{
	build_heap();
	EXPECT_SEEN(zone.nr_free_touched, zone.nr_free_touched + 1);
	EXPECT_SEEN(zone.nr_used[USE_RUN], zone.nr_used[USE_RUN] + 1);
	EXPECT_SEEN(zone.nr_opened, zone.nr_opened - UNIT_PAGES);
	/* Without areas the sum must be exact. */
	zone_lock();
	zone_count_locked(USE_AREA, -(ptrdiff_t)(2 * UNIT_PAGES));
	range_free_locked(2, 1);
	range_free_locked(14, 1);
	zone_unlock();
	ASSERT(validate_zone());
	EXPECT_SEEN(zone.nr_used[USE_SLAB], 5);
	EXPECT_SEEN(zone.nr_used[USE_RUN], 3);
	EXPECT_SEEN(zone.nr_opened, zone.nr_opened + 1);
}

RUN_TESTS
