/*
 * test_section.c - how large the window is, where everything lies, opening it in steps.
 * Limits on the address space: test_section_limited.c.
 */
#include <errno.h>

#include "mm_test.h"

/* --- the window's size -------------------------------------------------------------------- */

static size_t physical, reserve_option, window;

static void boot_and_compare(void)
{
	os_fake_physical_set(physical);
	zone_init();
	ASSERT(sections_boot(reserve_option));
	EXPECT_EQ(mm_map.nr_pages * PAGE_SIZE, window);
	EXPECT_EQ(sections_reserved(), window);
	EXPECT_EQ(os_fake_calls(OS_CALL_RESERVE), 1);
	EXPECT_EQ(os_fake_calls(OS_CALL_UNRESERVE), 0);
}

TEST(four_times_the_memory_or_what_the_option_says)
{
	static const size_t sizes[][3] = {
		{ MIB(512), 0, GIB(16) },      { GIB(4), 0, GIB(16) },
		{ GIB(4) + 1, 0, GIB(32) },    { GIB(16), 0, GIB(64) },
		{ GIB(300), 0, TIB(1) },       { TIB(9), 0, TIB(1) },
		{ GIB(4), 1, MIB(16) },	       { GIB(4), MIB(16), MIB(16) },
		{ GIB(4), MIB(17), MIB(32) },  { GIB(4), GIB(8), GIB(8) },
		{ GIB(4), TIB(2), TIB(1) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		physical = sizes[i][0];
		reserve_option = sizes[i][1];
		window = sizes[i][2];
		run_alone(boot_and_compare);
	}
}

MM_TEST(scarce_address_space_halves_the_window)
{
	os_fake_fail(OS_CALL_RESERVE, 1, 2, ENOMEM);
	zone_init();
	ASSERT(sections_boot(MIB(64)));
	EXPECT_EQ(mm_map.nr_pages * PAGE_SIZE, MIB(16));
	EXPECT_EQ(sections_reserved(), MIB(16));
}

/* free() of a foreign pointer comes by even when the boot failed: there must be no window then. */
static void expect_no_heap(void)
{
	int local;

	EXPECT(virt_to_pfn(&local) >= mm_map.nr_pages);
	EXPECT_EQ(mm_map.nr_pages, 0);
	EXPECT_EQ(sections_reserved(), 0);
	EXPECT(!pfn_is_reserved(0));
	EXPECT(!pfn_is_open(0));
}

MM_TEST(no_address_space_no_boot)
{
	os_fake_fail(OS_CALL_RESERVE, 1, UINT_MAX, ENOMEM);
	zone_init();
	EXPECT(!sections_boot(0));
	EXPECT(!sections_boot(MIB(16)));
	expect_no_heap();
}

MM_TEST(a_window_whose_page_map_cannot_be_read_is_given_back)
{
	os_fake_fail(OS_CALL_MAKE_READONLY, 1, 1, ENOMEM);
	zone_init();
	ASSERT(sections_boot(MIB(64)));
	EXPECT_EQ(os_fake_calls(OS_CALL_UNRESERVE), 1);
	EXPECT_EQ(mm_map.nr_pages * PAGE_SIZE, MIB(32));
	EXPECT_EQ(pagemap_read(mm_map.nr_pages - 1), 0);
}

MM_TEST(no_page_map_no_boot)
{
	os_fake_fail(OS_CALL_MAKE_READONLY, 1, UINT_MAX, ENOMEM);
	zone_init();
	EXPECT(!sections_boot(MIB(64)));
	EXPECT_EQ(os_fake_calls(OS_CALL_RESERVE), 3);
	EXPECT_EQ(os_fake_calls(OS_CALL_UNRESERVE), 3);
	expect_no_heap();
}

MM_TEST(arrays_lie_apart_below_the_heap)
{
	boot_heap(GIB(1));
	EXPECT(is_aligned(mm_map.base, UNIT_BYTES));
	EXPECT((uintptr_t)(mm_map.pagemap + mm_map.nr_pages) <=
	       (uintptr_t)pfn_to_pageblock(mm_map.nr_pages - 1));
	EXPECT((uintptr_t)mm_map.pageblocks <= (uintptr_t)mm_map.memmap);
	EXPECT((uintptr_t)(mm_map.memmap + mm_map.nr_pages) <= mm_map.base);
	EXPECT(is_aligned((uintptr_t)mm_map.pageblocks, PAGE_SIZE));
	EXPECT_EQ(zone.nr_sections, 1);
	EXPECT_EQ(sections_metadata(), 0);
}

/* --- opening ------------------------------------------------------------------------------ */

static size_t grow(enum range_part part, size_t nr_units, size_t *unit)
{
	size_t grown;

	zone_lock();
	grown = section_grow_locked(part, nr_units, unit);
	zone_unlock();
	return grown;
}

static void expect_open(size_t first, size_t end)
{
	for (size_t unit = 0; unit < mm_map.nr_pages / UNIT_PAGES; unit++) {
		bool open = unit >= first && unit < end;

		EXPECT_EQ(pfn_is_open(unit * UNIT_PAGES), open);
		EXPECT_EQ(pfn_is_open(unit * UNIT_PAGES + UNIT_PAGES - 1), open);
		EXPECT(pfn_is_reserved(unit * UNIT_PAGES));
	}
}

/* All that belongs to an opened page can be written and reads as zero before. */
static void use_unit(size_t unit, enum range_part part)
{
	static const struct page zero_page;

	for (size_t pfn = unit * UNIT_PAGES; pfn < (unit + 1) * UNIT_PAGES; pfn++) {
		ASSERT_EQ(pagemap_read(pfn), 0);
		pagemap_write(pfn, PAGEMAP_RUN);
		ASSERT(!memcmp(pfn_to_page(pfn), &zero_page, sizeof(zero_page)));
		memset(pfn_to_page(pfn), 0xff, sizeof(zero_page));
		ASSERT_EQ(*first_word(pfn), 0);
		*first_word(pfn) = pfn;
		ASSERT_EQ(pfn_to_pageblock(pfn)->kind, PAGEBLOCK_NONE);
		ASSERT_EQ(pfn_to_pageblock(pfn)->part, part);
		ASSERT(!is_touched(pfn));
	}
}

MM_TEST(low_grows_upwards)
{
	size_t unit;

	boot_heap(MIB(64));
	expect_open(0, 0);
	for (size_t i = 0; i < 4; i++) {
		ASSERT_EQ(grow(RANGE_LOW, 1, &unit), 1);
		EXPECT_EQ(unit, i);
		EXPECT_EQ(zone.nr_opened, (i + 1) * UNIT_PAGES);
		use_unit(unit, RANGE_LOW);
		expect_open(0, i + 1);
	}
	EXPECT_EQ(os_fake_calls(OS_CALL_FORBID_HUGE_PAGES), 1); /* once and for all */
	EXPECT_EQ(sections_metadata(), 4 * UNIT_PAGES * (4 + 64) + 8 * 256);
}

MM_TEST(high_grows_downwards_and_may_have_huge_pages)
{
	size_t unit;

	boot_heap(MIB(64));
	ASSERT_EQ(grow(RANGE_HIGH, 3, &unit), 3);
	EXPECT_EQ(unit, 13);
	expect_open(13, 16);
	ASSERT_EQ(grow(RANGE_HIGH, 1, &unit), 1);
	EXPECT_EQ(unit, 12);
	expect_open(12, 16);
	for (unit = 12; unit < 16; unit++)
		use_unit(unit, RANGE_HIGH);
	EXPECT_EQ(os_fake_calls(OS_CALL_WANT_HUGE_PAGES), 0); /* nothing has proved to be large */
}

MM_TEST(a_kernel_without_huge_pages_will_do)
{
	size_t unit;

	os_fake_feature(OS_FEATURE_HUGE_PAGES, false);
	boot_heap(MIB(16));
	ASSERT_EQ(grow(RANGE_LOW, 1, &unit), 1);
	use_unit(unit, RANGE_LOW);
}

MM_TEST(the_parts_meet_and_no_more)
{
	size_t unit;

	boot_heap(MIB(16));
	ASSERT_EQ(grow(RANGE_LOW, 2, &unit), 2);
	EXPECT_EQ(grow(RANGE_HIGH, 3, &unit), 0);
	ASSERT_EQ(grow(RANGE_HIGH, 2, &unit), 2);
	EXPECT_EQ(unit, 2);
	EXPECT_EQ(grow(RANGE_LOW, 1, &unit), 0);
	EXPECT_EQ(grow(RANGE_HIGH, 1, &unit), 0);
	expect_open(0, 4);
	for (unit = 0; unit < 4; unit++)
		use_unit(unit, unit < 2 ? RANGE_LOW : RANGE_HIGH);
}

MM_TEST(steps_are_an_eighth_of_what_is_open)
{
	size_t unit;

	boot_heap(MIB(256));
	ASSERT_EQ(grow(RANGE_LOW, 32, &unit), 32);
	ASSERT_EQ(grow(RANGE_LOW, 1, &unit), 4);
	EXPECT_EQ(unit, 32);
	ASSERT_EQ(grow(RANGE_LOW, 9, &unit), 9);
	ASSERT_EQ(grow(RANGE_HIGH, 16, &unit), 16);
	/* 61 are open: the step would be 7, but only 3 are left. */
	ASSERT_EQ(grow(RANGE_HIGH, 1, &unit), 1);
	EXPECT_EQ(unit, 47);
}

MM_TEST(a_step_that_memory_refuses_is_tried_smaller)
{
	size_t unit;

	boot_heap(MIB(256));
	ASSERT_EQ(grow(RANGE_LOW, 32, &unit), 32);
	os_fake_fail(OS_CALL_OPEN, 4, 1, ENOMEM);
	ASSERT_EQ(grow(RANGE_LOW, 1, &unit), 1);
	EXPECT_EQ(unit, 32);
	use_unit(unit, RANGE_LOW);
	EXPECT_EQ(zone.nr_opened, 33 * UNIT_PAGES);
}

/* Four calls open a unit; whichever fails, nothing has happened and the next try succeeds. */
MM_TEST(growth_that_fails_leaves_everything_as_it_was)
{
	size_t unit = 77;

	boot_heap(MIB(64));
	for (unsigned int part = 0; part < NR_RANGE_PARTS; part++) {
		for (unsigned int nth = 1; nth <= 4; nth++) {
			size_t opened = zone.nr_opened;

			os_fake_fail(OS_CALL_OPEN, nth, 1, ENOMEM);
			EXPECT_EQ(grow((enum range_part)part, 1, &unit), 0);
			EXPECT_EQ(zone.nr_opened, opened);
			EXPECT_EQ(zone.nr_sections, 1);
			ASSERT_EQ(grow((enum range_part)part, 1, &unit), 1);
			EXPECT_EQ(unit, part ? 16 - nth : nth - 1);
			EXPECT_EQ(zone.nr_opened, opened + UNIT_PAGES);
			use_unit(unit, (enum range_part)part);
		}
	}
}

MM_TEST(a_whole_window_has_no_further_sections)
{
	size_t unit;

	boot_heap(MIB(16));
	ASSERT_EQ(grow(RANGE_LOW, 4, &unit), 4);
	EXPECT_EQ(grow(RANGE_LOW, 1, &unit), 0);
	EXPECT_EQ(os_fake_calls(OS_CALL_RESERVE), 1);
	EXPECT_EQ(zone.nr_sections, 1);
}

RUN_TESTS
