/*
 * test_section_limited.c - src/mm/section.c under a limit on the address space (RLIMIT_AS):
 * a part of the window is reserved at boot, and sections are added behind it.
 */
#include <errno.h>

#include "mm_test.h"

static size_t limit, first_section;

static void boot_and_compare(void)
{
	os_fake_address_space_limit_set(limit);
	zone_init();
	EXPECT_EQ(sections_boot(0), first_section > 0);
	EXPECT_EQ(sections_reserved(), first_section);
	EXPECT_EQ(mm_map.nr_pages > 0, first_section > 0);
}

TEST(a_quarter_of_the_limit_is_reserved)
{
	static const size_t sizes[][2] = {
		{ GIB(16), GIB(4) },   { GIB(1), MIB(256) }, { MIB(100), MIB(24) },
		{ MIB(64), MIB(16) },  { MIB(16), MIB(4) },  { MIB(11), MIB(4) },
		{ MIB(8), 0 },	       { PAGE_SIZE, 0 },     { 1, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		limit = sizes[i][0];
		first_section = sizes[i][1];
		run_alone(boot_and_compare);
	}
}

MM_TEST(a_limit_that_does_not_matter_changes_nothing)
{
	os_fake_physical_set(GIB(4));
	os_fake_address_space_limit_set(GIB(64));
	zone_init();
	ASSERT(sections_boot(0));
	EXPECT_EQ(sections_reserved(), GIB(16));
}

MM_TEST(the_option_is_stronger_than_the_quarter)
{
	os_fake_address_space_limit_set(GIB(1));
	zone_init();
	ASSERT(sections_boot(MIB(512)));
	EXPECT_EQ(sections_reserved(), MIB(512));
}

MM_TEST(the_option_is_halved_to_what_the_limit_allows)
{
	os_fake_address_space_limit_set(GIB(1));
	zone_init();
	ASSERT(sections_boot(GIB(8)));
	EXPECT_EQ(sections_reserved(), MIB(512));
	EXPECT_EQ(mm_map.nr_pages * PAGE_SIZE, MIB(512));
}

MM_TEST(a_first_section_that_cannot_be_had_is_halved)
{
	os_fake_address_space_limit_set(MIB(256));
	os_fake_fail(OS_CALL_RESERVE, 1, 2, ENOMEM);
	zone_init();
	ASSERT(sections_boot(0));
	EXPECT_EQ(sections_reserved(), MIB(16));
	EXPECT_EQ(mm_map.nr_pages * PAGE_SIZE, MIB(512));
}

/* --- further sections ---------------------------------------------------------------------- */

#define LIMIT GIB(1)
/* In units: what the first section has and each further one. */
#define FIRST 64u
#define NEXT 16u
#define WINDOW 512u

/* As LIMIT demands. */
static void boot_limited(void)
{
	os_fake_address_space_limit_set(LIMIT);
	zone_init();
	ASSERT(sections_boot(0));
	ASSERT_EQ(mm_map.nr_pages, WINDOW * UNIT_PAGES);
	ASSERT_EQ(sections_reserved(), FIRST * UNIT_BYTES);
}

static size_t grow(enum range_part part, size_t nr_units, size_t *unit)
{
	size_t grown;

	zone_lock();
	grown = section_grow_locked(part, nr_units, unit);
	zone_unlock();
	return grown;
}

static void fill_first(void)
{
	size_t unit;

	ASSERT_EQ(grow(RANGE_LOW, FIRST, &unit), FIRST);
	ASSERT_EQ(unit, 0);
}

/* Somebody else's mapping at this unit of the window. */
static void take_address(size_t unit)
{
	void *address;

	ASSERT_EQ(os_reserve(pfn_to_virt(unit * UNIT_PAGES), UNIT_BYTES, &address), 0);
}

MM_TEST(the_next_section_follows_the_first)
{
	size_t unit;

	boot_limited();
	fill_first();
	EXPECT(!pfn_is_reserved(FIRST * UNIT_PAGES));
	ASSERT_EQ(grow(RANGE_HIGH, 2, &unit), 2);
	EXPECT_EQ(unit, FIRST + NEXT - 2);
	EXPECT_EQ(zone.nr_sections, 2);
	EXPECT_EQ(sections_reserved(), (FIRST + NEXT) * UNIT_BYTES);
	EXPECT(pfn_is_reserved(FIRST * UNIT_PAGES));
	EXPECT(!pfn_is_open(FIRST * UNIT_PAGES));
	EXPECT(pfn_is_open(unit * UNIT_PAGES));
	EXPECT(!pfn_is_reserved((FIRST + NEXT) * UNIT_PAGES));
	*first_word(unit * UNIT_PAGES) = 1;
	pagemap_write(unit * UNIT_PAGES, PAGEMAP_AREA);
	pfn_to_page(unit * UNIT_PAGES)->kind = PAGE_AREA;
	ASSERT_EQ(grow(RANGE_LOW, 1, &unit) > 0, true);
	EXPECT_EQ(unit, FIRST);
	EXPECT_EQ(zone.nr_sections, 2);
}

MM_TEST(the_first_section_is_put_where_the_kernel_likes_when_there_is_no_room_below)
{
	os_fake_address_space_limit_set(LIMIT);
	os_fake_fail(OS_CALL_RESERVE, 2, 1, EEXIST);
	zone_init();
	ASSERT(sections_boot(0));
	EXPECT_EQ(sections_reserved(), FIRST * UNIT_BYTES);
	fill_first();
}

MM_TEST(addresses_that_are_taken_are_passed_over)
{
	size_t unit;

	boot_limited();
	fill_first();
	take_address(FIRST + 3);
	take_address(FIRST + NEXT);
	ASSERT_EQ(grow(RANGE_LOW, 1, &unit) > 0, true);
	EXPECT_EQ(unit, FIRST + 2 * NEXT);
	EXPECT(!pfn_is_reserved((FIRST + 3) * UNIT_PAGES));
	EXPECT(!pfn_is_open((FIRST + 3) * UNIT_PAGES));
}

MM_TEST(a_request_above_a_section_gets_one_of_its_own)
{
	size_t unit;

	boot_limited();
	ASSERT_EQ(grow(RANGE_HIGH, FIRST + 1, &unit), FIRST + 1);
	EXPECT_EQ(unit, FIRST);
	EXPECT_EQ(sections_reserved(), (FIRST + FIRST + 1) * UNIT_BYTES);
}

MM_TEST(at_the_limit_as_much_as_is_needed_will_do)
{
	size_t unit;

	boot_limited();
	fill_first();
	os_fake_fail(OS_CALL_RESERVE, 1, 1, ENOMEM);
	ASSERT_EQ(grow(RANGE_LOW, 2, &unit), 2);
	EXPECT_EQ(sections_reserved(), (FIRST + 2) * UNIT_BYTES);
	os_fake_fail(OS_CALL_RESERVE, 1, UINT_MAX, ENOMEM);
	EXPECT_EQ(grow(RANGE_LOW, 1, &unit), 0);
	EXPECT_EQ(zone.nr_sections, 2);
	os_fake_fail(OS_CALL_RESERVE, 0, 0, 0);
	EXPECT(grow(RANGE_LOW, 1, &unit) > 0);
}

MM_TEST(the_window_ends)
{
	size_t unit, total = FIRST;

	boot_limited();
	fill_first();
	while (grow(RANGE_LOW, NEXT, &unit)) {
		EXPECT_EQ(unit, total);
		total += NEXT;
	}
	EXPECT_EQ(total, WINDOW);
	EXPECT_EQ(sections_reserved(), WINDOW * UNIT_BYTES);
	EXPECT_EQ(grow(RANGE_LOW, 1, &unit), 0);
}

MM_TEST(the_table_of_sections_ends)
{
	size_t unit;

	boot_limited();
	fill_first();
	for (unsigned int s = 1; s < MAX_SECTIONS; s++) {
		os_fake_fail(OS_CALL_RESERVE, 1, 1, ENOMEM);
		ASSERT_EQ(grow(RANGE_LOW, 1, &unit), 1);
	}
	EXPECT_EQ(zone.nr_sections, MAX_SECTIONS);
	EXPECT_EQ(grow(RANGE_LOW, 1, &unit), 0);
	EXPECT_EQ(zone.nr_sections, MAX_SECTIONS);
}

/* A new section does not help when memory, not address space, is what is missing. */
MM_TEST(memory_that_cannot_be_opened_costs_no_address_space)
{
	size_t unit;

	boot_limited();
	refuse_memory(true);
	for (unsigned int i = 0; i < 2 * MAX_SECTIONS; i++)
		EXPECT_EQ(grow(RANGE_LOW, 1, &unit), 0);
	EXPECT_EQ(sections_reserved(), FIRST * UNIT_BYTES);
	refuse_memory(false);
	fill_first();
	refuse_memory(true);
	for (unsigned int i = 0; i < 2 * MAX_SECTIONS; i++)
		EXPECT_EQ(grow(RANGE_LOW, 1, &unit), 0);
	EXPECT(sections_reserved() <= (FIRST + NEXT) * UNIT_BYTES);
	refuse_memory(false);
	ASSERT(grow(RANGE_LOW, 1, &unit) > 0);
	EXPECT_EQ(unit, FIRST);
}

RUN_TESTS
