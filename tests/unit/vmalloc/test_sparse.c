/*
 * test_sparse.c - areas that are hardly touched: what is free of them afterwards, and where the
 * next ones are placed.
 */
#include <errno.h>

#include "core/params.h"
#include "mm/residency.h"
#include "mm/zone.h"
#include "unit/mm/mm_test.h"
#include "vmalloc/sparse.h"
#include "vmalloc/vmap_area.h"

#define NR_PAGES 1000u /* in one unit */
#define NR_TOUCHED 10u

static void touch(size_t pfn, size_t nr_pages, size_t step)
{
	for (size_t i = 0; i < nr_pages; i += step)
		*first_word(pfn + i) = 1;
}

static size_t take(size_t nr_pages)
{
	struct page *page = area_alloc(nr_pages, PAGE_SIZE);

	return page ? page_to_pfn(page) : SIZE_MAX;
}

/* Allocate, touch one page in `step` of the first nr_touched, free. Returns where it was. */
static size_t use(size_t nr_pages, size_t nr_touched, size_t step)
{
	size_t pfn = take(nr_pages);

	ASSERT(pfn != SIZE_MAX);
	touch(pfn, nr_touched, step);
	EXPECT(area_free(pfn_to_page(pfn)));
	return pfn;
}

/* What area_alloc places by. */
static bool is_hardly_touched(size_t nr_pages)
{
	return sparse_spared(nr_pages);
}

static void teach(void)
{
	for (int i = 0; i < 2; i++)
		use(NR_PAGES, NR_TOUCHED, 1);
}

/* Frames of a free unit that everybody could use. Returns its place. */
static size_t leave_frames(void)
{
	return use(UNIT_PAGES, UNIT_PAGES, 1);
}

MM_TEST(what_was_not_touched_is_a_hole_when_it_is_free)
{
	size_t pfn;

	boot_heap(MIB(64));
	pfn = use(NR_PAGES, NR_TOUCHED, 1);
	EXPECT_EQ(zone.nr_free_touched, NR_TOUCHED);
	EXPECT_EQ(residency_count_touched(pfn, NR_TOUCHED), NR_TOUCHED);
	EXPECT_EQ(residency_count_touched(pfn, NR_PAGES), NR_TOUCHED);
	EXPECT(validate_zone());
}

MM_TEST(gaps_that_are_not_worth_a_call_count_as_touched)
{
	boot_heap(MIB(64));
	use(NR_PAGES, NR_PAGES, 16);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE), 0);
	EXPECT_EQ(zone.nr_free_touched, NR_PAGES);
	EXPECT(!is_hardly_touched(NR_PAGES));
	EXPECT(validate_zone());
}

MM_TEST(without_mincore_all_may_be_touched)
{
	boot_heap(MIB(64));
	os_fake_feature(OS_FEATURE_MINCORE, false);
	use(NR_PAGES, NR_TOUCHED, 1);
	EXPECT_EQ(zone.nr_free_touched, NR_PAGES);
	EXPECT(validate_zone());
}

MM_TEST(what_could_not_be_dropped_may_be_touched)
{
	boot_heap(MIB(64));
	os_fake_fail(OS_CALL_PURGE, 1, UINT_MAX, EINVAL);
	teach();
	EXPECT_EQ(zone.nr_free_touched, NR_PAGES);
	EXPECT(!is_hardly_touched(NR_PAGES));
	EXPECT(validate_zone());
}

MM_TEST(the_third_area_leaves_frames_to_others)
{
	size_t with_frames, pfn, nr_opened;

	boot_heap(MIB(64));
	teach();
	with_frames = leave_frames();
	pfn = take(NR_PAGES);
	EXPECT(is_hardly_touched(NR_PAGES));
	EXPECT(pfn != with_frames);
	EXPECT_EQ(residency_count_touched(pfn, NR_PAGES), 0);
	EXPECT_EQ(residency_count_touched(with_frames, UNIT_PAGES), UNIT_PAGES);
	EXPECT_EQ(zone.nr_spared, pfn_to_page(pfn)->nr_spared);
	EXPECT(zone.nr_spared >= NR_PAGES * 3 / 4);
	EXPECT(area_free(pfn_to_page(pfn)));
	EXPECT_EQ(zone.nr_spared, 0);
	nr_opened = zone.nr_opened;
	EXPECT_EQ(take(NR_PAGES), pfn);
	EXPECT_EQ(zone.nr_opened, nr_opened);
	EXPECT(validate_zone());
}

MM_TEST(one_of_another_size_gets_the_frames)
{
	size_t with_frames;

	boot_heap(MIB(64));
	teach();
	with_frames = leave_frames();
	EXPECT(!is_hardly_touched(NR_PAGES / 5 * 3));
	EXPECT_EQ(take(NR_PAGES / 5 * 3), with_frames);
}

MM_TEST(who_touches_it_after_all_gets_frames_again)
{
	boot_heap(MIB(64));
	teach();
	EXPECT(is_hardly_touched(NR_PAGES));
	use(NR_PAGES, NR_PAGES, 1);
	EXPECT(!is_hardly_touched(NR_PAGES));
}

/* It was given out with frames: whether they were used cannot be seen. */
MM_TEST(an_area_with_frames_teaches_nothing)
{
	size_t with_frames, pfn;

	boot_heap(MIB(64));
	with_frames = leave_frames();
	for (int i = 0; i < 3; i++) {
		pfn = use(NR_PAGES, 0, 1);
		EXPECT_EQ(pfn, with_frames);
		EXPECT_EQ(zone.nr_free_touched, UNIT_PAGES);
	}
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE), 0);
	EXPECT(!is_hardly_touched(NR_PAGES));
}

MM_TEST(blocks_of_both_kinds_of_one_size_have_frames)
{
	boot_heap(MIB(64));
	for (int i = 0; i < 6; i++) {
		use(NR_PAGES, i % 2 ? NR_PAGES : NR_TOUCHED, 1);
		reclaim_all();
		EXPECT(!is_hardly_touched(NR_PAGES));
	}
	teach();
	EXPECT(is_hardly_touched(NR_PAGES));
}

MM_TEST(a_filter_makes_forget)
{
	boot_heap(MIB(64));
	teach();
	EXPECT(is_hardly_touched(NR_PAGES));
	os_fake_feature(OS_FEATURE_NO_FILTER, false);
	use(NR_PAGES, NR_TOUCHED, 1);
	EXPECT(!is_hardly_touched(NR_PAGES));
}

/* All of them were counted in full before anything was known. */
MM_TEST(the_peak_is_corrected_by_areas_of_before)
{
	size_t pfn[6];

	boot_heap(MIB(64));
	for (unsigned int i = 0; i < ARRAY_SIZE(pfn); i++)
		pfn[i] = take(NR_PAGES);
	EXPECT_EQ(zone.peak_frames, ARRAY_SIZE(pfn) * NR_PAGES);
	for (unsigned int i = 0; i < ARRAY_SIZE(pfn); i++)
		EXPECT(area_free(pfn_to_page(pfn[i])));
	EXPECT(zone.peak_frames < NR_PAGES);
	EXPECT(validate_zone());
}

/* Each leaves a tenth untouched, which alone are holes from the second on. */
MM_TEST(what_little_is_left_untouched_does_not_make_it_sparse)
{
	boot_heap(MIB(64));
	for (int i = 0; i < 4; i++) {
		use(NR_PAGES, NR_PAGES / 10 * 9, 1);
		EXPECT(!is_hardly_touched(NR_PAGES));
	}
}

MM_TEST(nobody_is_asked_under_a_filter)
{
	boot_heap(MIB(64));
	os_fake_feature(OS_FEATURE_NO_FILTER, false);
	teach();
	EXPECT_EQ(os_fake_calls(OS_CALL_MINCORE), 0);
	EXPECT_EQ(zone.nr_free_touched, NR_PAGES);
}

/* An aligned one goes to the first place that fits: with frames, here. */
MM_TEST(frames_that_are_there_are_not_spared)
{
	struct page *page;

	boot_heap(MIB(64));
	teach();
	use(3 * UNIT_PAGES, 3 * UNIT_PAGES, 1);
	page = area_alloc(NR_PAGES, 2 * UNIT_BYTES);
	ASSERT(page != NULL);
	EXPECT(is_hardly_touched(NR_PAGES));
	EXPECT_EQ(residency_count_touched(page_to_pfn(page), NR_PAGES), NR_PAGES);
	EXPECT_EQ(page->nr_spared, 0);
}

/* Each of many finds a place where the one before has been. */
MM_TEST(the_heap_does_not_grow_without_end)
{
	size_t nr_opened;

	boot_heap(MIB(256));
	teach();
	leave_frames();
	use(NR_PAGES, NR_TOUCHED, 1);
	nr_opened = zone.nr_opened;
	for (int i = 0; i < 100; i++)
		use(NR_PAGES, NR_TOUCHED, 1);
	EXPECT_EQ(zone.nr_opened, nr_opened);
	EXPECT(validate_zone());
}

MM_TEST(no_limit_rests_on_what_is_expected)
{
	size_t pfn;

	boot_heap(MIB(64));
	params.limit = 2 * NR_PAGES * PAGE_SIZE;
	teach();
	use(2 * NR_PAGES, 2 * NR_PAGES, 1); /* the peak, up to the limit */
	pfn = take(NR_PAGES);
	EXPECT(pfn_to_page(pfn)->nr_spared > 0);
	EXPECT(zone.nr_free_in_peak <= NR_PAGES);
}

/* Free pages may stay up to the peak (mm/decay.h): not up to one that never was. */
MM_TEST(the_peak_is_of_frames)
{
	size_t all;

	boot_heap(MIB(64));
	all = take(NR_PAGES);
	touch(all, NR_PAGES, 1);
	use(NR_PAGES, NR_TOUCHED, 1);
	EXPECT_EQ(zone.peak_used, 2 * NR_PAGES);
	EXPECT_EQ(zone.peak_frames, NR_PAGES + NR_TOUCHED);
	teach();
	EXPECT_EQ(zone.peak_used, 2 * NR_PAGES);
	EXPECT(zone.peak_frames <= NR_PAGES * 5 / 4);
	EXPECT(validate_zone());
}

MM_TEST(resized_ones_count_by_their_size_until_they_are_no_longer_of_the_kind)
{
	size_t pfn;

	boot_heap(MIB(64));
	teach();
	pfn = take(NR_PAGES);
	EXPECT(area_resize(pfn_to_page(pfn), NR_PAGES - 50));
	EXPECT_EQ(zone.nr_spared, sparse_spared(NR_PAGES - 50));
	EXPECT(zone.nr_spared > 0);
	EXPECT(area_resize(pfn_to_page(pfn), NR_PAGES / 2));
	EXPECT_EQ(zone.nr_spared, 0);
	EXPECT(area_resize(pfn_to_page(pfn), NR_PAGES));
	EXPECT_EQ(zone.nr_spared, 0);
	EXPECT(area_free(pfn_to_page(pfn)));
	EXPECT_EQ(zone.nr_spared, 0);
	EXPECT(validate_zone());
}

/* What realloc moves into has frames, whatever others of its size have. */
MM_TEST(a_block_that_takes_frames_along_counts_in_full)
{
	struct page *page;

	boot_heap(MIB(64));
	teach();
	page = area_alloc_unfilled(NR_PAGES);
	ASSERT(page != NULL);
	EXPECT(is_hardly_touched(NR_PAGES));
	EXPECT_EQ(page->nr_spared, 0);
	EXPECT_EQ(zone.nr_spared, 0);
}

RUN_TESTS
