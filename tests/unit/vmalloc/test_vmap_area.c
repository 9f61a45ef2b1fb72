/*
 * test_vmap_area.c - areas: whole units, alignment, resizing in place, and what stays resident.
 */
#include <errno.h>

#include "core/params.h"
#include "mm/page_alloc.h"
#include "mm/range.h"
#include "mm/reclaim.h"
#include "mm/residency.h"
#include "unit/mm/mm_test.h"
#include "vmalloc/vmap_area.h"


static size_t take(size_t nr_pages)
{
	struct page *page = area_alloc(nr_pages, PAGE_SIZE);

	return page ? page_to_pfn(page) : SIZE_MAX;
}

static bool give(size_t pfn)
{
	return area_free(pfn_to_page(pfn));
}

static bool resize(size_t pfn, size_t nr_pages)
{
	return area_resize(pfn_to_page(pfn), nr_pages);
}

static void write_pages(size_t pfn, size_t nr_pages)
{
	for (size_t i = 0; i < nr_pages; i++)
		*first_word(pfn + i) = pfn + i + 1;
}

/* All areas in HIGH, as if the heap had proved to be large. */
static void boot_high(size_t bytes)
{
	params.thp = THP_ALWAYS;
	boot_heap(bytes);
}

/* HIGH is filled from its end: the nth unit from there. */
static size_t unit_from_end(size_t nth)
{
	return mm_map.nr_pages - nth * UNIT_PAGES;
}

MM_TEST(an_area_is_whole_units_of_address_space)
{
	size_t pfn;

	boot_high(MIB(64));
	pfn = take(UNIT_PAGES + 1);
	ASSERT_EQ(pfn, unit_from_end(2));
	EXPECT_EQ(pfn_to_page(pfn)->kind, PAGE_AREA);
	EXPECT_EQ(pfn_to_page(pfn)->nr_pages, UNIT_PAGES + 1);
	EXPECT_EQ(pagemap_read(pfn), PAGEMAP_AREA);
	EXPECT_EQ(pagemap_read(pfn + 1), 0);
	EXPECT_EQ(zone.nr_used[USE_AREA], UNIT_PAGES + 1);
	EXPECT_EQ(area_count(), 1);
	EXPECT(validate_zone());
	EXPECT_EQ(take(1), unit_from_end(3));
	EXPECT_EQ(area_count(), 2);
	EXPECT(give(pfn));
	EXPECT_EQ(pagemap_read(pfn), 0);
	EXPECT_EQ(zone.nr_used[USE_AREA], 1);
	EXPECT_EQ(area_count(), 1);
	EXPECT(validate_zone());
	EXPECT_EQ(take(2 * UNIT_PAGES), pfn);
}

MM_TEST(every_alignment_up_to_a_gigabyte)
{
	boot_heap(GIB(8));
	for (size_t align = 1; align <= GIB(1); align *= 2) {
		struct page *page = area_alloc(3, align);

		ASSERT(page);
		EXPECT(is_aligned((uintptr_t)page_address(page), max_size(align, UNIT_BYTES)));
		EXPECT(validate_zone());
	}
}

MM_TEST(only_the_head_of_an_area_is_freed_and_only_once)
{
	size_t first, second;

	boot_heap(MIB(64));
	first = take(2 * UNIT_PAGES);
	second = take(10);
	EXPECT(!give(first + 1));
	EXPECT(!give(first + UNIT_PAGES));
	EXPECT_EQ(area_count(), 2);
	EXPECT(give(first));
	EXPECT(!give(first));
	EXPECT_EQ(area_count(), 1);
	EXPECT_EQ(zone.nr_used[USE_AREA], 10);
	EXPECT(validate_zone());
	EXPECT(give(second));
	EXPECT(!give(second));
	EXPECT_EQ(zone.nr_used[USE_AREA], 0);
	EXPECT(validate_zone());
}

MM_TEST(no_memory_no_area_and_nothing_lost)
{
	boot_heap(MIB(16));
	for (unsigned int nth = 1; nth <= 4; nth++) {
		os_fake_fail(OS_CALL_OPEN, nth, UINT_MAX, ENOMEM);
		EXPECT_EQ(take(600), SIZE_MAX);
		EXPECT_EQ(area_count(), 0);
		EXPECT(validate_zone());
	}
	refuse_memory(false);
	EXPECT_EQ(take(4 * UNIT_PAGES + 1), SIZE_MAX);
	EXPECT(!area_alloc(1, GIB(1)));
	EXPECT_EQ(take(4 * UNIT_PAGES), 0);
	EXPECT_EQ(take(1), SIZE_MAX);
	EXPECT(validate_zone());
	EXPECT(give(0));
	EXPECT_EQ(take(1), 0);
	EXPECT(validate_zone());
}

/* --- in place ------------------------------------------------------------------------------- */

MM_TEST(growing_within_the_last_unit_takes_nothing)
{
	size_t pfn;

	boot_high(MIB(64));
	pfn = take(600);
	EXPECT(resize(pfn, UNIT_PAGES));
	EXPECT_EQ(pfn_to_page(pfn)->nr_pages, UNIT_PAGES);
	EXPECT_EQ(zone.nr_used[USE_AREA], UNIT_PAGES);
	EXPECT(!resize(pfn, UNIT_PAGES + 1)); /* the window ends here */
	EXPECT_EQ(pfn_to_page(pfn)->nr_pages, UNIT_PAGES);
	EXPECT(resize(pfn, UNIT_PAGES));
	EXPECT(validate_zone());
}

MM_TEST(growing_takes_the_free_units_behind)
{
	size_t behind, pfn;

	boot_high(MIB(64));
	behind = take(3 * UNIT_PAGES);
	pfn = take(UNIT_PAGES);
	ASSERT_EQ(pfn + UNIT_PAGES, behind);
	EXPECT(!resize(pfn, UNIT_PAGES + 1));
	write_pages(behind, 3 * UNIT_PAGES);
	EXPECT(give(behind));
	EXPECT_EQ(zone.nr_free_touched, 3 * UNIT_PAGES);
	EXPECT(!resize(pfn, 4 * UNIT_PAGES + 1));
	EXPECT(resize(pfn, 2 * UNIT_PAGES + 1));
	EXPECT_EQ(pfn_to_page(pfn)->nr_pages, 2 * UNIT_PAGES + 1);
	EXPECT_EQ(zone.nr_used[USE_AREA], 2 * UNIT_PAGES + 1);
	EXPECT_EQ(zone.nr_free_touched, UNIT_PAGES);
	EXPECT(validate_zone());
	EXPECT_EQ(take(UNIT_PAGES), unit_from_end(1));
	EXPECT(!resize(pfn, 3 * UNIT_PAGES + 1));
	EXPECT(give(pfn));
	EXPECT(validate_zone());
}

/* Where the two parts of the heap touch, an area of one does not grow into the other. */
MM_TEST(an_area_stays_in_its_part)
{
	size_t low, high;

	boot_high(MIB(16));
	zone_lock();
	ASSERT(range_alloc_locked(RANGE_LOW, 2, 1, &low));
	range_free_locked(low, 2);
	zone_unlock();
	high = take(2 * UNIT_PAGES);
	ASSERT_EQ(high, 2 * UNIT_PAGES);
	ASSERT_EQ(take(2 * UNIT_PAGES), 0); /* borrowed from LOW */
	EXPECT(give(high));
	EXPECT(!resize(0, 3 * UNIT_PAGES));
	EXPECT(give(0));
	EXPECT(validate_zone());
	EXPECT_EQ(pfn_to_pageblock(0)->nr_units, 2);
	EXPECT_EQ(pfn_to_pageblock(high)->nr_units, 2);
}

MM_TEST(shrinking_returns_whole_units)
{
	size_t pfn;

	params.retain = 0;
	boot_heap(MIB(64));
	pfn = take(3 * UNIT_PAGES);
	EXPECT(resize(pfn, UNIT_PAGES + 1));
	EXPECT_EQ(pfn_to_page(pfn)->nr_pages, UNIT_PAGES + 1);
	EXPECT_EQ(zone.nr_used[USE_AREA], UNIT_PAGES + 1);
	EXPECT_EQ(zone.nr_free_touched, UNIT_PAGES);
	EXPECT(validate_zone());
	EXPECT(resize(pfn, 1));
	EXPECT_EQ(zone.nr_free_touched, UNIT_PAGES + 1); /* what was slack has been dropped */
	EXPECT(validate_zone());
	EXPECT_EQ(take(2 * UNIT_PAGES), pfn + UNIT_PAGES);
	EXPECT(!resize(pfn, UNIT_PAGES + 1));
	EXPECT_EQ(area_count(), 2);
	EXPECT(give(pfn));
	EXPECT(validate_zone());
}

/* --- what stays resident ---------------------------------------------------------------------- */

MM_TEST(what_may_stay_stays)
{
	size_t pfn;

	boot_heap(MIB(64));
	pfn = take(UNIT_PAGES);
	write_pages(pfn, UNIT_PAGES);
	EXPECT(give(pfn));
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE), 0);
	EXPECT_EQ(zone.nr_free_touched, UNIT_PAGES);
	EXPECT_EQ(*first_word(pfn), pfn + 1);
	EXPECT(is_touched(pfn));
	EXPECT(validate_zone());
	EXPECT_EQ(take(UNIT_PAGES), pfn);
	EXPECT_EQ(zone.nr_free_touched, 0);
}

MM_TEST(shrinking_drops_the_tail)
{
	size_t pfn;

	params.retain = 0;
	boot_heap(MIB(64));
	pfn = take(2 * UNIT_PAGES);
	write_pages(pfn, 2 * UNIT_PAGES);
	EXPECT(resize(pfn, 10));
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE), 1); /* the rest of the kept unit */
	EXPECT_EQ(zone.nr_free_touched, UNIT_PAGES);
	EXPECT_EQ(*first_word(pfn + 9), pfn + 10);
	EXPECT_EQ(*first_word(pfn + 10), 0);
	EXPECT(!is_touched(pfn + 10));
	EXPECT(is_touched(pfn + UNIT_PAGES));
	EXPECT(validate_zone());
}

/* The last huge page of an area in HIGH is not split, unless most of it would be waste. */
MM_TEST(shrinking_in_high_drops_whole_huge_pages)
{
	size_t pfn, last = 8 * UNIT_PAGES - 1;

	params.retain = 0;
	boot_high(MIB(64));
	pfn = take(8 * UNIT_PAGES);
	write_pages(pfn, 8 * UNIT_PAGES);
	EXPECT(resize(pfn, 7 * UNIT_PAGES + PAGEBLOCK_PAGES + 100));
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE), 0);
	EXPECT_EQ(*first_word(pfn + last), pfn + last + 1);
	EXPECT(resize(pfn, PAGEBLOCK_PAGES + 10));
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE), 1);
	EXPECT_EQ(*first_word(pfn + PAGEBLOCK_PAGES + 10), 0);
	EXPECT(validate_zone());
}

MM_TEST(a_refused_purge_makes_no_hole)
{
	size_t pfn;

	params.retain = 0;
	boot_heap(MIB(64));
	os_fake_fail(OS_CALL_PURGE, 1, UINT_MAX, EINVAL);
	pfn = take(2 * UNIT_PAGES);
	write_pages(pfn, 2 * UNIT_PAGES);
	EXPECT(resize(pfn, UNIT_PAGES));
	EXPECT_EQ(residency_count_touched(pfn + UNIT_PAGES, UNIT_PAGES), UNIT_PAGES);
	EXPECT_EQ(zone.nr_free_touched, UNIT_PAGES);
	EXPECT(validate_zone());
	EXPECT(give(pfn));
	EXPECT_EQ(residency_count_touched(pfn, 2 * UNIT_PAGES), 2 * UNIT_PAGES);
	EXPECT_EQ(zone.nr_free_touched, 2 * UNIT_PAGES);
	EXPECT_EQ(*first_word(pfn), pfn + 1);
	EXPECT(validate_zone());
	EXPECT_EQ(reclaim_all(), 2 * UNIT_PAGES);
	EXPECT_EQ(*first_word(pfn), 0);
	EXPECT(validate_zone());
}

/* The pages behind an area's end, in its last unit, are out of everybody's reach. */
MM_TEST(the_rest_of_the_last_unit_keeps_no_frames)
{
	size_t pfn;

	params.retain = 0;
	boot_heap(MIB(64));
	pfn = take(UNIT_PAGES);
	write_pages(pfn, UNIT_PAGES);
	EXPECT(give(pfn));
	ASSERT_EQ(take(UNIT_PAGES - 64), pfn);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE), 0); /* so few are not worth a call */
	EXPECT_EQ(*first_word(pfn + UNIT_PAGES - 1), pfn + UNIT_PAGES);
	EXPECT(give(pfn));
	ASSERT_EQ(take(600), pfn);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE), 1);
	EXPECT_EQ(*first_word(pfn + 599), pfn + 600);
	EXPECT_EQ(*first_word(pfn + 600), 0);
	EXPECT_EQ(zone.nr_free_touched, 0);
	EXPECT(validate_zone());
	EXPECT(give(pfn));
	EXPECT_EQ(zone.nr_free_touched, 600);
	EXPECT(validate_zone());
}

/* Some of it may stay, in all areas together. */
MM_TEST(a_little_slack_keeps_its_frames)
{
	size_t first, second, third;

	params.retain = 4 * 1000 * PAGE_SIZE;
	boot_heap(MIB(64));
	first = take(UNIT_PAGES);
	second = take(UNIT_PAGES);
	third = take(UNIT_PAGES);
	write_pages(first, 3 * UNIT_PAGES);
	EXPECT(resize(first, UNIT_PAGES - 600));
	EXPECT_EQ(zone.nr_slack_touched, 600);
	EXPECT(resize(second, UNIT_PAGES - 600));
	EXPECT_EQ(zone.nr_slack_touched, 600);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE), 1);
	EXPECT(resize(third, UNIT_PAGES - 300));
	EXPECT_EQ(zone.nr_slack_touched, 900);
	EXPECT(resize(first, UNIT_PAGES));
	EXPECT_EQ(zone.nr_slack_touched, 300);
	EXPECT_EQ(*first_word(first + UNIT_PAGES - 1), first + UNIT_PAGES);
	EXPECT(give(third));
	EXPECT_EQ(zone.nr_slack_touched, 0);
	EXPECT(validate_zone());
}

RUN_TESTS
