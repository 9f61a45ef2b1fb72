/*
 * test_range.c - free ranges of units: where they are taken, how they are cut and merged.
 */
#include <errno.h>

#include "mm/range.h"
#include "mm/residency.h"
#include "mm_test.h"

#define NONE SIZE_MAX

/* The unit that was taken, or NONE. Nothing counts pages in use here: only trees are looked at. */
static size_t take(enum range_part part, size_t nr_units, size_t align_units)
{
	size_t unit = NONE;

	return range_alloc_locked(part, nr_units, align_units, &unit) ? unit : NONE;
}

/* The free ranges of a part, as "first+length first+length". */
static const char *free_ranges(enum range_part part)
{
	static char text[256];
	struct pageblock *range = NULL;
	int length = 0;

	text[0] = '\0';
	while ((range = range_next_locked(part, range)))
		length += snprintf(text + length, sizeof(text) - (size_t)length, "%s%zu+%u",
				   length ? " " : "", range_unit(range), range->nr_units);
	return text;
}

/* One section of 16 units, all of it LOW or HIGH and free. */
static void boot_and_open(enum range_part part)
{
	size_t unit;

	boot_heap(MIB(64));
	zone_lock();
	ASSERT_EQ(section_grow_locked(part, 16, &unit), 16);
	range_free_locked(unit, 16);
}

MM_TEST(low_is_filled_from_its_lowest_address)
{
	boot_and_open(RANGE_LOW);
	EXPECT_STREQ(free_ranges(RANGE_LOW), "0+16");
	EXPECT_EQ(take(RANGE_LOW, 1, 1), 0);
	EXPECT_EQ(take(RANGE_LOW, 3, 1), 1);
	range_free_locked(0, 1);
	EXPECT_EQ(take(RANGE_LOW, 2, 1), 4);
	EXPECT_EQ(take(RANGE_LOW, 1, 1), 0);
	EXPECT_STREQ(free_ranges(RANGE_LOW), "6+10");
}

MM_TEST(high_is_filled_from_its_highest_address)
{
	boot_and_open(RANGE_HIGH);
	EXPECT_EQ(take(RANGE_HIGH, 1, 1), 15);
	EXPECT_EQ(take(RANGE_HIGH, 3, 1), 12);
	range_free_locked(15, 1);
	EXPECT_EQ(take(RANGE_HIGH, 2, 1), 10);
	EXPECT_EQ(take(RANGE_HIGH, 1, 1), 15);
	EXPECT_STREQ(free_ranges(RANGE_HIGH), "0+10");
	EXPECT_STREQ(free_ranges(RANGE_LOW), "");
}

MM_TEST(neighbours_are_merged)
{
	boot_and_open(RANGE_LOW);
	ASSERT_EQ(take(RANGE_LOW, 16, 1), 0);
	EXPECT_STREQ(free_ranges(RANGE_LOW), "");
	range_free_locked(4, 2); /* alone */
	range_free_locked(10, 2);
	EXPECT_STREQ(free_ranges(RANGE_LOW), "4+2 10+2");
	range_free_locked(6, 1); /* behind one */
	EXPECT_STREQ(free_ranges(RANGE_LOW), "4+3 10+2");
	range_free_locked(9, 1); /* before one */
	EXPECT_STREQ(free_ranges(RANGE_LOW), "4+3 9+3");
	range_free_locked(7, 2); /* between two */
	EXPECT_STREQ(free_ranges(RANGE_LOW), "4+8");
	range_free_locked(0, 3);
	range_free_locked(12, 4);
	EXPECT_STREQ(free_ranges(RANGE_LOW), "0+3 4+12");
	range_free_locked(3, 1);
	EXPECT_STREQ(free_ranges(RANGE_LOW), "0+16");
	zone_unlock();
	EXPECT(validate_zone());
}

/* Alignment is that of addresses; the heap's base is aligned to a unit only. */
MM_TEST(aligned_ranges)
{
	size_t unit;

	boot_heap(GIB(8));
	zone_lock();
	for (size_t align = 1; align <= 256; align *= 2) {
		for (unsigned int part = 0; part < NR_RANGE_PARTS; part++) {
			unit = take((enum range_part)part, 3, align);
			ASSERT(unit != NONE);
			EXPECT(is_aligned((uintptr_t)pfn_to_virt(unit * UNIT_PAGES),
					  align * UNIT_BYTES));
		}
	}
}

MM_TEST(cutting_leaves_what_lies_on_both_sides)
{
	size_t unit;
	char text[64];

	boot_heap(MIB(64));
	zone_lock();
	ASSERT_EQ(section_grow_locked(RANGE_LOW, 16, &unit), 16);
	/* Free from an odd unit on, so that the first aligned one is inside. */
	unit = is_aligned(mm_map.base, 2 * UNIT_BYTES) ? 1 : 2;
	range_free_locked(unit, 10);
	ASSERT_EQ(take(RANGE_LOW, 4, 2), unit + 1);
	snprintf(text, sizeof(text), "%zu+1 %zu+5", unit, unit + 5);
	EXPECT_STREQ(free_ranges(RANGE_LOW), text);
}

MM_TEST(claims_are_for_the_start_of_a_free_range)
{
	boot_and_open(RANGE_LOW);
	ASSERT_EQ(take(RANGE_LOW, 4, 1), 0);
	EXPECT(!range_claim_locked(RANGE_LOW, 3, 1)); /* in use */
	EXPECT(!range_claim_locked(RANGE_LOW, 4, 13)); /* beyond the heap */
	EXPECT(!range_claim_locked(RANGE_HIGH, 4, 1)); /* of the other part */
	EXPECT(range_claim_locked(RANGE_LOW, 4, 2));
	EXPECT_STREQ(free_ranges(RANGE_LOW), "6+10");
	EXPECT(!range_claim_locked(RANGE_LOW, 4, 1));
	EXPECT(range_claim_locked(RANGE_LOW, 6, 10)); /* all that is left */
	EXPECT_STREQ(free_ranges(RANGE_LOW), "");
	EXPECT(!range_claim_locked(RANGE_LOW, 16, 1));
	range_free_locked(0, 16);
	EXPECT_STREQ(free_ranges(RANGE_LOW), "0+16");
}

/* Where the heap ends it grows for a claim, as much as is missing. */
MM_TEST(claims_open_what_lies_behind_the_open_end)
{
	boot_heap(MIB(64));
	zone_lock();
	ASSERT_EQ(take(RANGE_LOW, 2, 1), 0);
	EXPECT(!range_claim_locked(RANGE_LOW, 3, 1)); /* not at the end */
	EXPECT_EQ(zone.nr_opened, 2 * UNIT_PAGES);
	EXPECT(range_claim_locked(RANGE_LOW, 2, 1));
	EXPECT_EQ(zone.nr_opened, 3 * UNIT_PAGES);
	range_free_locked(2, 1);
	EXPECT(range_claim_locked(RANGE_LOW, 2, 3));
	EXPECT_EQ(zone.nr_opened, 5 * UNIT_PAGES);
	EXPECT_STREQ(free_ranges(RANGE_LOW), "");
	EXPECT(!range_claim_locked(RANGE_LOW, 5, 12)); /* beyond the reserve */
	EXPECT(!range_claim_locked(RANGE_HIGH, 5, 1));
	EXPECT_EQ(zone.nr_opened, 5 * UNIT_PAGES);
	EXPECT(range_claim_locked(RANGE_LOW, 5, 11)); /* up to its end */
}

/* What is free at the end must begin where the claim does. */
MM_TEST(a_claim_amid_what_is_free_at_the_open_end_fails)
{
	boot_heap(MIB(64));
	zone_lock();
	ASSERT_EQ(take(RANGE_LOW, 4, 1), 0);
	range_free_locked(2, 2);
	EXPECT(!range_claim_locked(RANGE_LOW, 3, 3));
	EXPECT(!range_claim_locked(RANGE_LOW, 1, 5));
	EXPECT_STREQ(free_ranges(RANGE_LOW), "2+2");
}

MM_TEST(a_claim_without_memory_to_open_fails)
{
	boot_heap(MIB(64));
	zone_lock();
	ASSERT_EQ(take(RANGE_LOW, 2, 1), 0);
	os_fake_fail(OS_CALL_OPEN, 1, UINT_MAX, ENOMEM);
	EXPECT(!range_claim_locked(RANGE_LOW, 2, 1));
	os_fake_fail(OS_CALL_OPEN, 0, 0, 0);
	EXPECT(range_claim_locked(RANGE_LOW, 2, 1));
}

/* --- growth -------------------------------------------------------------------------------- */

MM_TEST(growth_adds_to_what_is_free_at_the_edge)
{
	boot_heap(MIB(64));
	zone_lock();
	ASSERT_EQ(take(RANGE_LOW, 2, 1), 0);
	ASSERT_EQ(take(RANGE_HIGH, 2, 1), 14);
	range_free_locked(1, 1);
	range_free_locked(14, 1);
	EXPECT_EQ(take(RANGE_LOW, 3, 1), 1);
	EXPECT_EQ(take(RANGE_HIGH, 3, 1), 12);
	EXPECT_EQ(zone.nr_opened, 8 * UNIT_PAGES);
}

MM_TEST(a_part_that_cannot_grow_borrows_from_the_other)
{
	boot_heap(MIB(64));
	zone_lock();
	ASSERT_EQ(take(RANGE_HIGH, 14, 1), 2);
	range_free_locked(2, 14);
	EXPECT_EQ(take(RANGE_LOW, 3, 1), 13);
	EXPECT_EQ(take(RANGE_LOW, 2, 1), 0);
	EXPECT_EQ(take(RANGE_LOW, 1, 1), 12);
	range_free_locked(13, 3); /* goes back to where it came from */
	EXPECT_STREQ(free_ranges(RANGE_HIGH), "2+10 13+3");
	EXPECT_STREQ(free_ranges(RANGE_LOW), "");
	ASSERT_EQ(take(RANGE_HIGH, 10, 1), 2);
	range_free_locked(0, 2);
	EXPECT_EQ(take(RANGE_HIGH, 3, 1), 13);
	EXPECT_EQ(take(RANGE_HIGH, 2, 1), 0);
	EXPECT_EQ(take(RANGE_HIGH, 1, 1), NONE);
	EXPECT_EQ(take(RANGE_LOW, 1, 1), NONE);
}

/* A window whose first address is not a multiple of 8 units: aligned places lie below it, too. */
static void boot_misaligned(void)
{
	boot_heap(MIB(128));
	if (mm_map.base / UNIT_BYTES % 8)
		return;
	mm_map.base += UNIT_BYTES;
	mm_map.nr_pages -= UNIT_PAGES;
	zone.sections[0].high = --zone.sections[0].end;
}

/* The highest aligned place in units 0 .. nr_free - 1, tried one by one. */
static size_t highest_place(size_t nr_free, size_t nr_units, size_t align_units)
{
	for (size_t unit = nr_free; unit-- > 0;)
		if (unit + nr_units <= nr_free &&
		    is_aligned(mm_map.base / UNIT_BYTES + unit, align_units))
			return unit;
	return NONE;
}

MM_TEST(an_aligned_place_lies_in_the_window_or_there_is_none)
{
	size_t all, unit;
	char whole[64];

	boot_misaligned();
	all = mm_map.nr_pages / UNIT_PAGES;
	zone_lock();
	ASSERT_EQ(section_grow_locked(RANGE_HIGH, all, &unit), all);
	for (size_t nr_free = 1; nr_free <= 17; nr_free++) {
		range_free_locked(0, nr_free);
		snprintf(whole, sizeof(whole), "0+%zu", nr_free);
		for (size_t nr_units = 1; nr_units <= 17; nr_units++) {
			for (size_t align = 2; align <= 8; align *= 2) {
				unit = take(RANGE_HIGH, nr_units, align);
				ASSERT_EQ(unit, highest_place(nr_free, nr_units, align));
				if (unit != NONE)
					range_free_locked(unit, nr_units);
				ASSERT(!strcmp(free_ranges(RANGE_HIGH), whole));
			}
		}
		ASSERT_EQ(take(RANGE_HIGH, nr_free, 1), 0);
	}
}

MM_TEST(the_whole_window_is_one_range_at_most)
{
	boot_heap(MIB(16));
	zone_lock();
	EXPECT_EQ(take(RANGE_HIGH, 5, 1), NONE);
	EXPECT_EQ(take(RANGE_HIGH, 4, 2), NONE);
	EXPECT_EQ(take(RANGE_HIGH, 4, 1), 0);
}

MM_TEST(absurd_requests_are_refused)
{
	boot_heap(MIB(64));
	zone_lock();
	EXPECT_EQ(take(RANGE_LOW, 17, 1), NONE);
	EXPECT_EQ(take(RANGE_HIGH, 1, 1u << 20), NONE);
	EXPECT_EQ(take(RANGE_HIGH, (size_t)1 << 30, 1), NONE);
	EXPECT_EQ(zone.nr_opened, 0);
	EXPECT_STREQ(free_ranges(RANGE_LOW), "");
}

/* Whichever system call fails: false, nothing lost, and the next try succeeds. */
MM_TEST(growth_that_fails_leaves_everything_as_it_was)
{
	boot_heap(MIB(64));
	for (unsigned int nth = 1; nth <= 4; nth++) {
		size_t opened = zone.nr_opened, unit = NONE;

		zone_lock();
		os_fake_fail(OS_CALL_OPEN, nth, UINT_MAX, ENOMEM);
		EXPECT(!range_alloc_locked(RANGE_LOW, 2, 1, &unit));
		EXPECT_STREQ(free_ranges(RANGE_LOW), "");
		EXPECT_EQ(zone.nr_opened, opened);
		refuse_memory(false);
		ASSERT(range_alloc_locked(RANGE_LOW, 2, 1, &unit));
		EXPECT_EQ(unit, (nth - 1) * 2);
		zone_count_locked(USE_RUN, 2 * UNIT_PAGES);
		zone_unlock();
		EXPECT(validate_zone());
	}
}

MM_TEST(a_range_that_fits_serves_when_growth_fails_before_it_is_needed)
{
	boot_and_open(RANGE_LOW);
	refuse_memory(true);
	EXPECT_EQ(take(RANGE_LOW, 15, 1), 0);
	EXPECT_EQ(take(RANGE_HIGH, 1, 1), 15);
	EXPECT_EQ(take(RANGE_HIGH, 1, 1), NONE);
}

/* HIGH is for areas. */
MM_TEST(units_of_low_with_frames_are_found)
{
	size_t low, high, unit;

	boot_heap(MIB(64));
	zone_lock();
	ASSERT(range_alloc_locked(RANGE_LOW, 3, 1, &low) &&
	       range_alloc_locked(RANGE_HIGH, 3, 1, &high));
	EXPECT(!range_take_touched_locked(&unit));
	residency_note_freed((high + 1) * UNIT_PAGES, UNIT_PAGES);
	range_free_locked(high, 3);
	EXPECT(!range_take_touched_locked(&unit));
	residency_note_freed((low + 2) * UNIT_PAGES, UNIT_PAGES);
	range_free_locked(low, 3);
	EXPECT(range_take_touched_locked(&unit));
	EXPECT_EQ(unit, low + 2);
	EXPECT_STREQ(free_ranges(RANGE_LOW), "0+2");
}

/* Units of a part that are free again; those of `frames` (a bit each) have frames. */
static size_t units_with_frames(enum range_part part, size_t nr_units, unsigned int frames)
{
	size_t unit;

	ASSERT(range_alloc_locked(part, nr_units, 1, &unit));
	for (size_t i = 0; i < nr_units; i++)
		if (frames >> i & 1)
			residency_note_freed((unit + i) * UNIT_PAGES, UNIT_PAGES);
	range_free_locked(unit, nr_units);
	return unit;
}

MM_TEST(the_place_with_most_frames_is_taken)
{
	size_t low, unit;

	boot_heap(MIB(64));
	zone_lock();
	low = units_with_frames(RANGE_LOW, 9, 0x0ce); /* 01110011 0 from the first unit on */
	EXPECT(range_take_resident_locked(RANGE_LOW, 3 * UNIT_PAGES, true, &unit));
	EXPECT_EQ(unit, low + 1);
	EXPECT(!range_take_resident_locked(RANGE_LOW, 3 * UNIT_PAGES, true, &unit));
	EXPECT(range_take_resident_locked(RANGE_LOW, 3 * UNIT_PAGES, false, &unit));
	EXPECT_EQ(unit, low + 5);
	EXPECT(!range_take_resident_locked(RANGE_LOW, 1 * UNIT_PAGES, false, &unit));
	EXPECT_STREQ(free_ranges(RANGE_LOW), "0+1 4+1 8+1");
	EXPECT(!range_take_resident_locked(RANGE_HIGH, 1 * UNIT_PAGES, false, &unit));
}

MM_TEST(ranges_that_are_too_short_are_passed_over)
{
	size_t low, unit;

	boot_heap(MIB(64));
	zone_lock();
	low = units_with_frames(RANGE_LOW, 8, 0x83);
	range_clip_locked(pfn_to_pageblock(low * UNIT_PAGES), low + 2, 1);
	EXPECT(range_take_resident_locked(RANGE_LOW, 3 * UNIT_PAGES, false, &unit));
	EXPECT_EQ(unit, low + 5);
	EXPECT(range_take_resident_locked(RANGE_LOW, 2 * UNIT_PAGES, true, &unit));
	EXPECT_EQ(unit, low);
	EXPECT(!range_take_resident_locked(RANGE_LOW, 3 * UNIT_PAGES, false, &unit));
}

/* The rest of the last unit would be of no use to anybody. */
MM_TEST(frames_behind_what_is_wanted_are_left_to_others)
{
	size_t low, unit;

	boot_heap(MIB(64));
	zone_lock();
	low = units_with_frames(RANGE_LOW, 6, 0x1b);
	residency_note_purged((low + 4) * UNIT_PAGES + 100, UNIT_PAGES - 100);
	zone_sub_free_touched(UNIT_PAGES - 100);
	zone.nr_range_touched -= UNIT_PAGES - 100;
	EXPECT(range_take_resident_locked(RANGE_LOW, UNIT_PAGES + 100, true, &unit));
	EXPECT_EQ(unit, low + 3);
	EXPECT(range_take_resident_locked(RANGE_LOW, UNIT_PAGES + 1000, true, &unit));
	EXPECT_EQ(unit, low);
}

RUN_TESTS
