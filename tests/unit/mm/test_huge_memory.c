/*
 * test_huge_memory.c - who may have huge pages, from when on, and that they are kept whole.
 */
#include "core/params.h"
#include "mm/decay.h"
#include "mm/huge_memory.h"
#include "mm/page_alloc.h"
#include "mm/pagerun.h"
#include "mm/range.h"
#include "mm/residency.h"
#include "mm_test.h"
#include "vmalloc/vmap_area.h"

#define SETTING_FILE "/sys/kernel/mm/transparent_hugepage/enabled"
#define RUN_PAGES 256u
#define LARGE_HEAP_RUNS (MIB(128) / PAGE_SIZE / RUN_PAGES)

static void boot(const char *setting, enum thp_setting thp)
{
	os_fake_reset();
	os_fake_clock_set(1000000);
	os_fake_file_set(SETTING_FILE, setting);
	params.thp = thp;
	params.retain = 0;
	huge_boot();
	boot_heap(GIB(1));
}

static size_t take_run(size_t nr_pages)
{
	struct page *page = run_alloc(nr_pages, 1);

	ASSERT(page);
	for (size_t i = 0; i < nr_pages; i++)
		*first_word(page_to_pfn(page) + i) = 1;
	return page_to_pfn(page);
}

static void give_run(size_t pfn)
{
	ASSERT(run_free(pfn_to_page(pfn)));
}

static void prove_large(void)
{
	for (size_t i = 0; i < LARGE_HEAP_RUNS; i++)
		take_run(RUN_PAGES);
}

static bool is_huge(size_t pfn)
{
	return pfn_to_pageblock(pfn)->huge == HUGE_WHOLE;
}

/* A page for a slab, from a pageblock of which the buddy hands out no more than a page. */
static size_t take_page(void)
{
	struct page *page;

	zone_lock();
	page = alloc_pages_locked(0);
	ASSERT(page);
	zone_count_locked(USE_SLAB, 1);
	zone_unlock();
	return page_to_pfn(page);
}

static enum range_part area_part(size_t nr_pages)
{
	struct page *page = area_alloc(nr_pages, PAGE_SIZE);

	ASSERT(page);
	return (enum range_part)pfn_to_pageblock(page_to_pfn(page))->part;
}

MM_TEST(a_small_heap_has_none)
{
	boot("always [madvise] never\n", THP_AUTO);
	for (size_t i = 1; i < LARGE_HEAP_RUNS; i++)
		EXPECT(!is_huge(take_run(RUN_PAGES)));
	EXPECT_EQ(area_part(4 * UNIT_PAGES), RANGE_LOW);
	EXPECT_EQ(os_fake_calls(OS_CALL_WANT_HUGE_PAGES), 0);
	EXPECT(validate_zone());
}

MM_TEST(slabs_of_a_heap_that_has_proved_large_are_in_huge_pages)
{
	size_t first, second;

	boot("always [madvise] never\n", THP_AUTO);
	prove_large();
	first = take_page();
	EXPECT(is_huge(first));
	EXPECT_EQ(os_fake_calls(OS_CALL_WANT_HUGE_PAGES), 1);
	EXPECT_EQ(os_fake_calls(OS_CALL_FORBID_HUGE_PAGES), 1 + 1); /* once for the reserve */
	/* The first page has brought the frames of its whole pageblock. */
	EXPECT_EQ(zone.nr_free_touched, PAGEBLOCK_PAGES - 1);
	second = take_page();
	EXPECT_EQ(second, first + 1);
	EXPECT_EQ(zone.nr_free_touched, PAGEBLOCK_PAGES - 2);
	EXPECT_EQ(os_fake_calls(OS_CALL_WANT_HUGE_PAGES), 1);
	EXPECT(validate_zone());
}

/* What becomes free between runs can be moved then. */
MM_TEST(its_page_runs_are_not)
{
	boot("always [madvise] never\n", THP_AUTO);
	prove_large();
	EXPECT(!is_huge(take_run(RUN_PAGES)));
	EXPECT_EQ(os_fake_calls(OS_CALL_WANT_HUGE_PAGES), 0);
}

MM_TEST(areas_lie_where_huge_pages_suit_them)
{
	boot("always [madvise] never\n", THP_AUTO);
	prove_large();
	EXPECT_EQ(area_part(2 * UNIT_PAGES), RANGE_HIGH);
	EXPECT(os_fake_calls(OS_CALL_WANT_HUGE_PAGES) >= 1);
	EXPECT_EQ(area_part(30 * PAGEBLOCK_PAGES - 500), RANGE_HIGH);
	EXPECT_EQ(area_part(PAGEBLOCK_PAGES + 1), RANGE_LOW); /* half of it would be waste */
	EXPECT_EQ(area_part(MIB(132) / PAGE_SIZE), RANGE_LOW); /* more than has been proved */
	EXPECT(validate_zone());
}

MM_TEST(where_the_system_has_them_always_areas_do)
{
	boot("[always] madvise never\n", THP_AUTO);
	EXPECT_EQ(area_part(64 * UNIT_PAGES), RANGE_HIGH);
	EXPECT_EQ(area_part(PAGEBLOCK_PAGES + 1), RANGE_LOW);
	EXPECT(!is_huge(take_run(1)));
	prove_large();
	prove_large();
	EXPECT(is_huge(take_page()));
}

MM_TEST(where_the_system_has_none_nothing_is_asked)
{
	boot("always madvise [never]\n", THP_AUTO);
	prove_large();
	EXPECT(!is_huge(take_page()));
	EXPECT_EQ(area_part(2 * UNIT_PAGES), RANGE_LOW);
	EXPECT_EQ(os_fake_calls(OS_CALL_WANT_HUGE_PAGES), 0);
}

MM_TEST(never_is_never)
{
	size_t unit;

	boot("[always] madvise never\n", THP_NEVER);
	prove_large();
	EXPECT(!is_huge(take_page()));
	EXPECT_EQ(area_part(2 * UNIT_PAGES), RANGE_LOW);
	zone_lock();
	ASSERT(section_grow_locked(RANGE_HIGH, 1, &unit));
	EXPECT_EQ(os_fake_calls(OS_CALL_FORBID_HUGE_PAGES), 1);
	EXPECT_EQ(os_fake_calls(OS_CALL_WANT_HUGE_PAGES), 0);
}

MM_TEST(always_is_from_the_start)
{
	boot("always [madvise] never\n", THP_ALWAYS);
	EXPECT_EQ(area_part(PAGEBLOCK_PAGES + 1), RANGE_HIGH);
	EXPECT_EQ(os_fake_calls(OS_CALL_WANT_HUGE_PAGES), 1);
	EXPECT(is_huge(take_run(1)));
}

/* The setting cannot be read, the kernel has none, or no mapping to spare: small pages, then. */
MM_TEST(a_refusal_costs_nothing_else)
{
	boot(NULL, THP_AUTO);
	os_fake_feature(OS_FEATURE_HUGE_PAGES, false);
	prove_large();
	EXPECT(!is_huge(take_page()));
	EXPECT(os_fake_calls(OS_CALL_WANT_HUGE_PAGES) > 0);
	EXPECT_EQ(zone.nr_free_touched, 0);
	EXPECT(validate_zone());
}

/* It was asked for and not given (fragmented memory, PR_SET_THP_DISABLE): nothing is assumed. */
MM_TEST(what_was_not_given_is_not_assumed)
{
	boot("always [madvise] never\n", THP_AUTO);
	os_fake_feature(OS_FEATURE_MINCORE, false);
	prove_large();
	EXPECT(!is_huge(take_page()));
	EXPECT_EQ(zone.nr_free_touched, 0);
	EXPECT(validate_zone());
}

/* --- giving back ---------------------------------------------------------------------------- */

/* Drop up to nr_pages free pages. Returns how many were. */
static size_t drop(size_t nr_pages, bool split)
{
	struct reclaim_limit limit = { .nr_pages = nr_pages, .split = split };
	struct reclaim_walk walk = { 0 };

	lock_acquire(LOCK_RECLAIM);
	while (limit.nr_pages && reclaim_aged_locked(&walk, &limit, mm_map.nr_pages))
		;
	lock_release(LOCK_RECLAIM);
	EXPECT(validate_zone());
	return walk.nr_pages;
}

MM_TEST(a_huge_page_that_is_mostly_used_stays_whole)
{
	size_t kept, freed;

	boot("always [madvise] never\n", THP_ALWAYS);
	kept = take_run(RUN_PAGES + 64);
	freed = take_run(PAGEBLOCK_PAGES - RUN_PAGES - 64);
	ASSERT_EQ(freed, kept + RUN_PAGES + 64);
	give_run(freed);
	EXPECT_EQ(drop(SIZE_MAX, false), 0);
	EXPECT(is_huge(kept));
	EXPECT_EQ(drop(SIZE_MAX, true), PAGEBLOCK_PAGES - RUN_PAGES - 64);
	EXPECT_EQ(pfn_to_pageblock(kept)->huge, HUGE_SPLIT);
	/* It is split now, and nothing keeps the next part. */
	give_run(take_run(RUN_PAGES - 64));
	EXPECT_EQ(drop(SIZE_MAX, false), RUN_PAGES - 64);
}

MM_TEST(a_huge_page_that_is_mostly_free_is_split)
{
	size_t kept, freed;

	boot("always [madvise] never\n", THP_ALWAYS);
	kept = take_run(RUN_PAGES);
	freed = take_run(RUN_PAGES);
	give_run(freed);
	EXPECT_EQ(drop(SIZE_MAX, false), RUN_PAGES);
	EXPECT_EQ(*first_word(kept), 1);
	EXPECT_EQ(*first_word(freed), 0);
}

/* Slabs: the buddy's blocks are added up for their pageblock. */
MM_TEST(blocks_of_the_buddy_are_added_up)
{
	struct page *pages[64];

	boot("always [madvise] never\n", THP_ALWAYS);
	zone_lock();
	for (unsigned int i = 0; i < 64; i++) {
		ASSERT((pages[i] = alloc_pages_locked(3)));
		zone_count_locked(USE_SLAB, 8);
	}
	for (unsigned int i = 0; i < 62; i += 2) { /* 248 pages, no two side by side */
		zone_count_locked(USE_SLAB, -8);
		free_pages_locked(pages[i], 3);
	}
	zone_unlock();
	EXPECT_EQ(drop(SIZE_MAX, false), 0);
	zone_lock();
	zone_count_locked(USE_SLAB, -8);
	free_pages_locked(pages[62], 3);
	zone_unlock();
	EXPECT_EQ(drop(SIZE_MAX, false), 256);
}

/* Dropped whole, it is one huge page again the next time. */
MM_TEST(whole_huge_pages_go_back_whole)
{
	size_t pfn;

	boot("always [madvise] never\n", THP_ALWAYS);
	pfn = take_run(PAGEBLOCK_PAGES);
	give_run(pfn);
	EXPECT_EQ(drop(SIZE_MAX, false), PAGEBLOCK_PAGES);
	EXPECT_EQ(pfn_to_pageblock(pfn)->huge, HUGE_NONE);
	EXPECT_EQ(zone.nr_free_touched, 0);
	run_drain();
	ASSERT_EQ(take_run(1), pfn);
	EXPECT(is_huge(pfn));
	EXPECT_EQ(zone.nr_free_touched, PAGEBLOCK_PAGES - 1);
	EXPECT(validate_zone());
}

RUN_TESTS
