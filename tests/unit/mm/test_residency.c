/*
 * test_residency.c - HOLE, MAYBE, and how pages pass from one to the other.
 */
#include "mm_test.h"
#include "mm/residency.h"

#define NR_PAGES (2 * UNIT_PAGES)

static void open_two_units(void)
{
	size_t unit;

	boot_heap(MIB(16));
	zone_lock();
	ASSERT_EQ(section_grow_locked(RANGE_LOW, 2, &unit), 2);
}

static void set_proved(size_t pfn, size_t nr_pages)
{
	for (; nr_pages; pfn++, nr_pages--) {
		uint64_t *words = pfn_to_pageblock(pfn)->proved;

		words[pfn % PAGEBLOCK_PAGES / 64] |= (uint64_t)1 << pfn % 64;
	}
}

/* All of the opened pages: touched inside [first, first + nr), HOLE outside. */
static void expect_touched(size_t first, size_t nr)
{
	for (size_t pfn = 0; pfn < NR_PAGES; pfn++) {
		ASSERT_EQ(is_touched(pfn), pfn >= first && pfn < first + nr);
		ASSERT(!is_proved(pfn));
	}
	EXPECT_EQ(residency_count_touched(0, NR_PAGES), nr);
}

static const size_t pieces[][2] = {
	{ 0, 1 },     { 0, 64 },   { 63, 2 },	  { 511, 1 },	{ 511, 2 },  { 512, 512 },
	{ 500, 600 }, { 1, 2047 }, { 1023, 1025 }, { 0, 2048 }, { 2047, 1 }, { 100, 1 },
};

MM_TEST(new_pages_are_holes)
{
	open_two_units();
	expect_touched(0, 0);
	EXPECT_EQ(zone.nr_free_touched, 0);
}

MM_TEST(freed_pages_are_maybe_and_dropped_ones_holes)
{
	open_two_units();
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		size_t first = pieces[i][0], nr = pieces[i][1];

		set_proved(first, nr);
		residency_note_freed(first, nr);
		expect_touched(first, nr);
		EXPECT_EQ(zone.nr_free_touched, nr);
		residency_note_taken(first, nr);
		expect_touched(first, nr); /* the state stays */
		EXPECT_EQ(zone.nr_free_touched, 0);
		set_proved(first, nr);
		residency_note_purged(first, nr);
		expect_touched(0, 0);
		EXPECT_EQ(zone.nr_free_touched, 0);
	}
}

MM_TEST(only_what_was_dropped_is_a_hole)
{
	open_two_units();
	residency_note_freed(0, NR_PAGES);
	residency_note_taken(0, NR_PAGES);
	residency_note_purged(0, 700);
	expect_touched(700, NR_PAGES - 700);
	residency_note_purged(1500, NR_PAGES - 1500);
	expect_touched(700, 800);
}

MM_TEST(taking_counts_only_touched_pages_out)
{
	open_two_units();
	residency_note_freed(510, 4);
	residency_note_freed(1000, 10);
	EXPECT_EQ(zone.nr_free_touched, 14);
	residency_note_taken(0, 511);
	EXPECT_EQ(zone.nr_free_touched, 13);
	residency_note_taken(511, 600);
	EXPECT_EQ(zone.nr_free_touched, 0);
}

MM_TEST(counting_and_finding_stop_at_the_edges)
{
	size_t length;

	open_two_units();
	residency_note_freed(500, 600);
	EXPECT_EQ(residency_count_touched(0, 500), 0);
	EXPECT_EQ(residency_count_touched(499, 2), 1);
	EXPECT_EQ(residency_count_touched(510, 4), 4);
	EXPECT_EQ(residency_count_touched(1099, 100), 1);
	EXPECT_EQ(residency_count_touched(700, 0), 0);

	EXPECT_EQ(residency_find(0, NR_PAGES, true, &length), 500);
	EXPECT_EQ(length, 600);
	EXPECT_EQ(residency_find(505, 10, true, &length), 505);
	EXPECT_EQ(length, 10);
	EXPECT_EQ(residency_find(0, 501, true, &length), 500);
	EXPECT_EQ(length, 1);
	residency_find(0, 500, true, &length);
	EXPECT_EQ(length, 0);
	residency_find(1100, NR_PAGES - 1100, true, &length);
	EXPECT_EQ(length, 0);
	residency_find(NR_PAGES, 0, true, &length);
	EXPECT_EQ(length, 0);

	EXPECT_EQ(residency_find(0, NR_PAGES, false, &length), 0);
	EXPECT_EQ(length, 500);
	EXPECT_EQ(residency_find(500, NR_PAGES - 500, false, &length), 1100);
	EXPECT_EQ(length, NR_PAGES - 1100);
	residency_find(600, 100, false, &length);
	EXPECT_EQ(length, 0);
}

RUN_TESTS
