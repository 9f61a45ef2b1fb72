/*
 * test_zone.c - an empty zone, and counting pages by use with their peak.
 */
#include "mm_test.h"

MM_TEST(an_empty_zone_is_valid)
{
	zone_init();
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		for (unsigned int list = 0; list < NR_FREE_LISTS; list++)
			EXPECT(list_empty(&zone.nodes[0].free_area[order].free_list[list]));
	for (unsigned int bucket = 0; bucket < NR_RUN_BUCKETS; bucket++)
		EXPECT(list_empty(&zone.nodes[0].run_buckets[bucket]));
	EXPECT_EQ(zone.nodes[0].run_bucket_mask, 0);
	EXPECT(validate_zone());
}

MM_TEST(a_booted_zone_is_valid_and_has_opened_nothing)
{
	boot_heap(MIB(16));
	EXPECT_EQ(zone.nr_opened, 0);
	EXPECT(validate_zone());
}

MM_TEST(pages_are_counted_by_use)
{
	zone_init();
	zone_count_locked(USE_SLAB, 8);
	zone_count_locked(USE_RUN, 100);
	zone_count_locked(USE_AREA, 1000);
	EXPECT_EQ(zone.nr_used[USE_SLAB], 8);
	EXPECT_EQ(zone.nr_used[USE_RUN], 100);
	EXPECT_EQ(zone.nr_used[USE_AREA], 1000);
	EXPECT_EQ(zone.peak_used, 1108);
	zone_count_locked(USE_AREA, -900);
	zone_count_locked(USE_RUN, 500);
	EXPECT_EQ(zone.nr_used[USE_AREA], 100);
	EXPECT_EQ(zone.peak_used, 1108);
	zone_count_locked(USE_SLAB, 900);
	EXPECT_EQ(zone.peak_used, 8 + 900 + 600 + 100);
	zone_count_locked(USE_SLAB, -908);
	EXPECT_EQ(zone.nr_used[USE_SLAB], 0);
	EXPECT_EQ(zone.peak_used, 8 + 900 + 600 + 100);
}

MM_TEST(the_zone_has_a_lock)
{
	EXPECT_EQ(lock_is_held(LOCK_ZONE), !CONFIG_DEBUG);
	zone_lock();
	EXPECT(lock_is_held(LOCK_ZONE));
	zone_unlock();
	EXPECT_EQ(lock_is_held(LOCK_ZONE), !CONFIG_DEBUG);
}

RUN_TESTS
