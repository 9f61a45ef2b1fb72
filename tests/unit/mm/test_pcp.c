/*
 * test_pcp.c - a slot's page lists: refill and drain by batches, costly orders, runs, no memory.
 */
#include <errno.h>

#include "core/params.h"
#include "mm/page_alloc.h"
#include "mm/pagerun.h"
#include "mm/pcp.h"
#include "mm_test.h"

#define BATCH 8u /* pages, as in pcp.c */

static struct pcp pcp;

static void boot(size_t bytes)
{
	memset(&zone, 0, sizeof(zone));
	memset(&pcp, 0, sizeof(pcp));
	boot_heap(bytes);
	pcp_init(&pcp, 0, 0);
}

static size_t pages_on_lists(void)
{
	size_t nr_pages = 0;

	for (unsigned int order = 0; order <= PCP_MAX_ORDER; order++) {
		unsigned int nr_blocks = 0;
		struct page *page;

		list_for_each_entry(page, &pcp.list[order], list) {
			EXPECT_EQ(page->kind, PAGE_PCP);
			EXPECT_EQ(page->order, order);
			nr_blocks++;
		}
		EXPECT_EQ(pcp.count[order], nr_blocks);
		nr_pages += (size_t)nr_blocks << order;
	}
	return nr_pages;
}

MM_TEST(a_refill_is_a_batch)
{
	for (unsigned int order = 0; order <= PCP_MAX_ORDER; order++) {
		struct page *page;

		boot(MIB(64));
		page = pcp_alloc(&pcp, order, true);
		ASSERT(page);
		EXPECT_EQ(page->kind, PAGE_NONE);
		EXPECT(is_aligned(page_to_pfn(page), (size_t)1 << order));
		EXPECT_EQ(pages_on_lists(), BATCH - (1u << order));
		EXPECT_EQ(zone.nr_used[USE_SLAB], BATCH);
	}
}

MM_TEST(the_zone_is_asked_once_a_batch)
{
	bool seen[64] = { false };

	boot(MIB(64));
	for (unsigned int i = 0; i < 5 * BATCH; i++) {
		struct page *page = pcp_alloc(&pcp, 0, true);

		ASSERT(page && page_to_pfn(page) < 64 && !seen[page_to_pfn(page)]);
		seen[page_to_pfn(page)] = true;
		EXPECT_EQ(zone.nr_used[USE_SLAB], (i / BATCH + 1) * BATCH);
	}
	EXPECT(validate_zone());
}

MM_TEST(what_was_freed_last_is_handed_out_first)
{
	struct page *first, *second;

	boot(MIB(64));
	first = pcp_alloc(&pcp, 1, true);
	second = pcp_alloc(&pcp, 1, true);
	ASSERT(first && second);
	pcp_free(&pcp, first, 1);
	pcp_free(&pcp, second, 1);
	EXPECT_EQ(pcp_alloc(&pcp, 1, true), second);
	EXPECT_EQ(pcp_alloc(&pcp, 1, true), first);
}

MM_TEST(above_two_batches_the_coldest_batch_goes_back)
{
	struct page *pages[3 * BATCH];

	boot(MIB(64));
	for (unsigned int i = 0; i < 3 * BATCH; i++)
		ASSERT((pages[i] = pcp_alloc(&pcp, 0, true)));
	for (unsigned int i = 0; i < 2 * BATCH; i++)
		pcp_free(&pcp, pages[i], 0);
	EXPECT_EQ(pages_on_lists(), 2 * BATCH);
	EXPECT_EQ(zone.nr_free_touched, 0);
	pcp_free(&pcp, pages[2 * BATCH], 0);
	EXPECT_EQ(pages_on_lists(), BATCH + 1);
	EXPECT_EQ(zone.nr_free_touched, BATCH);
	EXPECT_EQ(zone.nr_used[USE_SLAB], 2 * BATCH);
	for (unsigned int i = 0; i < BATCH; i++)
		EXPECT(is_touched(page_to_pfn(pages[i])));
	EXPECT(!is_touched(page_to_pfn(pages[BATCH])));
	EXPECT_EQ(pcp_alloc(&pcp, 0, true), pages[2 * BATCH]);
	EXPECT(validate_zone());
}

MM_TEST(costly_orders_pass_by)
{
	struct page *page;

	boot(MIB(64));
	for (unsigned int order = PCP_MAX_ORDER + 1; order <= MAX_PAGE_ORDER; order++) {
		page = pcp_alloc(&pcp, order, true);
		ASSERT(page);
		EXPECT_EQ(pages_on_lists(), 0);
		EXPECT_EQ(zone.nr_used[USE_SLAB], (size_t)1 << order);
		pcp_free(&pcp, page, order);
		EXPECT_EQ(pages_on_lists(), 0);
		EXPECT_EQ(zone.nr_used[USE_SLAB], 0);
		EXPECT(validate_zone());
	}
}

MM_TEST(a_drain_gives_everything_back)
{
	struct page *pages[PCP_MAX_ORDER + 1];

	boot(MIB(64));
	for (unsigned int order = 0; order <= PCP_MAX_ORDER; order++) {
		pcp.nr_faulted_seen = zone.nr_holes_used;
		ASSERT((pages[order] = pcp_alloc(&pcp, order, true)));
	}
	for (unsigned int order = 0; order <= PCP_MAX_ORDER; order++)
		pcp_free(&pcp, pages[order], order);
	EXPECT_EQ(pages_on_lists(), 4 * BATCH);
	EXPECT_EQ(zone.nr_used[USE_SLAB], 4 * BATCH);
	EXPECT(validate_zone());
	pcp_drain(&pcp);
	EXPECT_EQ(pages_on_lists(), 0);
	EXPECT_EQ(zone.nr_used[USE_SLAB], 0);
	EXPECT_EQ(zone.nodes[0].free_area[MAX_PAGE_ORDER].nr_free, 1);
	EXPECT(validate_zone());
	pcp_drain(&pcp);
	EXPECT(validate_zone());
}

/* --- runs ---------------------------------------------------------------------------------- */

static struct page *take_run(size_t nr_pages)
{
	struct page *page = run_alloc(nr_pages, 1);

	ASSERT(page);
	return page;
}

MM_TEST(a_kept_run_is_handed_out_again)
{
	struct page *page;

	boot(MIB(64));
	page = take_run(10);
	pcp.nr_faulted_seen = zone.nr_holes_used;
	ASSERT(pcp_run_free(&pcp, page));
	EXPECT_EQ(page->kind, PAGE_PCP);
	EXPECT_EQ(pagemap_read(page_to_pfn(page)), 0);
	EXPECT_EQ(pcp.nr_run_pages, 10);
	EXPECT_EQ(zone.nr_used[USE_RUN], 10);
	EXPECT(validate_zone());
	EXPECT(!pcp_run_alloc(&pcp, 11));
	EXPECT(!pcp_run_alloc(&pcp, 10 + PCP_RUN_SETS)); /* the same set */
	EXPECT_EQ(pcp_run_alloc(&pcp, 10), page);
	EXPECT_EQ(page->kind, PAGE_RUN);
	EXPECT_EQ(page->nr_pages, 10);
	EXPECT_EQ(pagemap_read(page_to_pfn(page)), PAGEMAP_RUN);
	EXPECT_EQ(pcp.nr_run_pages, 0);
	EXPECT(!pcp_run_alloc(&pcp, 10));
	EXPECT(run_free(page));
	EXPECT(validate_zone());
}

/* Also beyond what the heap is aligned to. */
MM_TEST(a_kept_run_is_as_aligned_as_its_address)
{
	struct page *page;
	uintptr_t address;

	boot(MIB(64));
	page = take_run(1);
	address = (uintptr_t)page_address(page);
	for (size_t align_pages = 1; align_pages <= GIB(1); align_pages *= 2) {
		bool is_aligned = address % (align_pages * PAGE_SIZE) == 0;

		ASSERT(pcp_run_free(&pcp, page));
		EXPECT_EQ(pcp_run_alloc_aligned(&pcp, 1, align_pages), is_aligned ? page : NULL);
		if (!is_aligned)
			EXPECT_EQ(pcp_run_alloc(&pcp, 1), page);
	}
}

MM_TEST(a_kept_run_cannot_be_freed_again)
{
	struct page *page;

	boot(MIB(64));
	page = take_run(10);
	ASSERT(pcp_run_free(&pcp, page));
	EXPECT(!pcp_run_free(&pcp, page));
	EXPECT(!run_free(page));
	EXPECT_EQ(pcp.nr_run_pages, 10);
	EXPECT_EQ(zone.nr_used[USE_RUN], 10);
	EXPECT(validate_zone());
}

MM_TEST(a_long_run_is_kept_until_other_pages_are_wanted)
{
	struct page *page;

	boot(MIB(64));
	for (unsigned int round = 0; round < 4; round++) {
		page = take_run(RUN_MAX_PAGES - round);
		ASSERT(pcp_run_free(&pcp, page));
		EXPECT_EQ(pcp_run_alloc(&pcp, RUN_MAX_PAGES - round), page);
		ASSERT(pcp_run_free(&pcp, page));
		EXPECT_EQ(page->kind, PAGE_PCP);
		EXPECT_EQ(pcp.nr_run_pages, RUN_MAX_PAGES - round);
		EXPECT(!pcp_run_free(&pcp, page)); /* freed twice */
		EXPECT_EQ(page->kind, PAGE_NONE);
		page = take_run(RUN_MAX_PAGES - round);
		ASSERT(pcp_run_free(&pcp, page));
		if (round == 0)
			EXPECT(!pcp_run_alloc(&pcp, 10));
		else if (round == 1)
			EXPECT(!pcp_run_alloc(&pcp, RUN_MAX_PAGES + 1)); /* an area's */
		else if (round == 2)
			EXPECT(pcp_alloc(&pcp, 0, false));
		else
			EXPECT(pcp_alloc(&pcp, PCP_MAX_ORDER + 1, false));
		EXPECT_EQ(pcp.nr_run_pages, 0);
		EXPECT_EQ(zone.nr_used[USE_RUN], 0);
		EXPECT_EQ(page->kind, PAGE_NONE);
	}
	EXPECT(validate_zone());
}

/* Short ones have the room that they had. */
MM_TEST(the_latest_long_run_is_kept)
{
	struct page *first, *second, *before, *after;

	boot(MIB(64));
	first = take_run(100);
	second = take_run(200);
	before = take_run(PCP_MAX_RUN_PAGES);
	after = take_run(PCP_MAX_RUN_PAGES);
	ASSERT(pcp_run_free(&pcp, before));
	ASSERT(pcp_run_free(&pcp, first));
	ASSERT(pcp_run_free(&pcp, second));
	ASSERT(pcp_run_free(&pcp, after));
	EXPECT_EQ(first->kind, PAGE_NONE);
	EXPECT_EQ(second->kind, PAGE_PCP);
	EXPECT_EQ(zone.nr_used[USE_RUN], 200 + 2 * PCP_MAX_RUN_PAGES);
	pcp_drain(&pcp);
	EXPECT_EQ(zone.nr_used[USE_RUN], 0);
	EXPECT(validate_zone());
}

/* Short ones push it out, or it is handed out: what there is room for is as without it. */
MM_TEST(a_long_run_leaves_among_the_short)
{
	struct page *first = NULL, *runs[PCP_RUN_WAYS];
	const size_t nr_long = PCP_MAX_RUN_PAGES + 1; /* in the set of single pages */

	boot(MIB(64));
	for (unsigned int round = 0; round < 8; round++) {
		first = take_run(nr_long);
		for (unsigned int i = 0; i < PCP_RUN_WAYS; i++)
			runs[i] = take_run(1);
		ASSERT(pcp_run_free(&pcp, first));
		for (unsigned int i = 0; i < PCP_RUN_WAYS; i++)
			ASSERT(pcp_run_free(&pcp, runs[i]));
		EXPECT(!pcp.long_run);
		EXPECT_EQ(zone.nr_used[USE_RUN], PCP_RUN_WAYS);
		for (unsigned int i = 0; i < PCP_RUN_WAYS; i++)
			run_free(pcp_run_alloc(&pcp, 1));
		EXPECT_EQ(pcp.nr_run_pages, 0);
	}
	EXPECT(!pcp_run_alloc_aligned(&pcp, nr_long, 64));
	EXPECT(validate_zone());
}

static struct pcp others[8];

/* How many of them keep a long run; those that are refused go back. */
static unsigned int count_keepers(void)
{
	unsigned int nr_keepers = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		struct page *page = take_run(100);

		if (pcp_run_free(&others[i], page))
			nr_keepers++;
		else
			ASSERT(run_free(page));
	}
	return nr_keepers;
}

MM_TEST(few_keep_a_long_run)
{
	boot(MIB(64));
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++)
		pcp_init(&others[i], 0, 0);
	EXPECT_EQ(count_keepers(), 4);
	EXPECT_EQ(zone.nr_used[USE_RUN], 400);
	EXPECT(!pcp_run_alloc(&others[0], 7));
	EXPECT_EQ(zone.nr_used[USE_RUN], 300);
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(others); i++)
			pcp_drain_runs(&others[i]);
		EXPECT_EQ(zone.nr_used[USE_RUN], 0);
		EXPECT_EQ(count_keepers(), 4);
	}
	EXPECT(validate_zone());
}

MM_TEST(nobody_keeps_a_long_run_where_memory_is_limited)
{
	boot(MIB(64));
	params.limit = MIB(32);
	EXPECT(!pcp_run_free(&pcp, take_run(100)));
	EXPECT(pcp_run_free(&pcp, take_run(50)));
}

/* By pages that nobody has touched. */
static void grow_heap(size_t nr_pages)
{
	size_t nr_holes_used = zone.nr_holes_used;

	while (zone.nr_holes_used < nr_holes_used + nr_pages)
		take_run(1);
}

MM_TEST(short_runs_are_kept_until_the_heap_has_grown)
{
	boot(MIB(64));
	for (unsigned int round = 0; round < 4; round++) {
		struct page *page = take_run(10);

		ASSERT(pcp_run_free(&pcp, page));
		pcp.nr_faulted_seen = zone.nr_holes_used;
		grow_heap(ZONE_GROWTH_PAGES - 1);
		EXPECT(!pcp_run_alloc(&pcp, 3));
		EXPECT_EQ(pcp.nr_run_pages, 10);
		grow_heap(1);
		EXPECT_EQ(pcp_run_alloc(&pcp, 10), page); /* at hand */
		ASSERT(pcp_run_free(&pcp, page));
		if (round % 2)
			EXPECT(!pcp_run_alloc(&pcp, 3));
		else
			EXPECT(pcp_alloc(&pcp, 0, false));
		EXPECT_EQ(pcp.nr_run_pages, 0);
		EXPECT_EQ(page->kind, PAGE_NONE);
		pcp_drain(&pcp);
	}
	EXPECT(validate_zone());
}

/* What moved frames have filled is no growth. */
MM_TEST(filled_holes_are_no_growth)
{
	size_t seen = 0;

	boot(MIB(64));
	grow_heap(ZONE_GROWTH_PAGES);
	zone.nr_holes_filled += 1;
	EXPECT(!zone_has_grown(&seen));
	grow_heap(1);
	EXPECT(zone_has_grown(&seen));
	EXPECT(!zone_has_grown(&seen));
	zone.nr_holes_filled += 1; /* counted later than it was used: known at the next question */
	zone_has_grown(&seen);
	grow_heap(ZONE_GROWTH_PAGES);
	EXPECT(zone_has_grown(&seen));
}

/* Who gives up at each of so many pages, has little left in a large heap. */
MM_TEST(a_large_heap_has_to_grow_by_more)
{
	size_t seen, nr_used;

	boot(MIB(64));
	grow_heap(2 * ZONE_GROWTH_SHARE * ZONE_GROWTH_PAGES);
	seen = zone.nr_holes_used;
	nr_used = zone.nr_used[USE_SLAB] + zone.nr_used[USE_RUN];
	grow_heap(nr_used / ZONE_GROWTH_SHARE - 1);
	EXPECT(!zone_has_grown(&seen));
	grow_heap(2);
	EXPECT(zone_has_grown(&seen));
}

MM_TEST(too_many_are_not_kept)
{
	boot(MIB(64));
	while (pcp_run_free(&pcp, take_run(PCP_MAX_RUN_PAGES)))
		ASSERT(pcp.nr_run_pages < MIB(4) / PAGE_SIZE);
	EXPECT(pcp.nr_run_pages >= PCP_MAX_RUN_PAGES);
	EXPECT(validate_zone());
}

MM_TEST(the_newest_run_of_a_length_comes_first_and_the_oldest_leaves)
{
	struct page *pages[PCP_RUN_WAYS + 1];

	boot(MIB(64));
	for (unsigned int i = 0; i <= PCP_RUN_WAYS; i++)
		pages[i] = take_run(2);
	for (unsigned int i = 0; i <= PCP_RUN_WAYS; i++)
		ASSERT(pcp_run_free(&pcp, pages[i]));
	EXPECT_EQ(pages[0]->kind, PAGE_NONE); /* back in its block */
	EXPECT_EQ(zone.nr_used[USE_RUN], 2 * PCP_RUN_WAYS);
	EXPECT_EQ(zone.nr_free_touched, 2);
	for (unsigned int i = PCP_RUN_WAYS; i > 0; i--)
		EXPECT_EQ(pcp_run_alloc(&pcp, 2), pages[i]);
	EXPECT(!pcp_run_alloc(&pcp, 2));
	EXPECT(validate_zone());
}

MM_TEST(a_drain_gives_runs_back_too)
{
	boot(MIB(64));
	for (size_t nr_pages = 1; nr_pages <= 12; nr_pages++)
		ASSERT(pcp_run_free(&pcp, take_run(nr_pages)));
	EXPECT_EQ(zone.nr_used[USE_RUN], 12 * 13 / 2);
	pcp_drain(&pcp);
	EXPECT_EQ(pcp.nr_run_pages, 0);
	EXPECT_EQ(zone.nr_used[USE_RUN], 0);
	EXPECT_EQ(zone.nodes[0].nr_empty_run_blocks, 1);
	for (size_t nr_pages = 1; nr_pages <= 12; nr_pages++)
		EXPECT(!pcp_run_alloc(&pcp, nr_pages));
	EXPECT(validate_zone());
}

MM_TEST(no_memory_no_page_and_what_there_is_is_handed_out)
{
	size_t nr_pages = 0;

	boot(MIB(16));
	refuse_memory(true);
	EXPECT(!pcp_alloc(&pcp, 0, true));
	EXPECT(!pcp_alloc(&pcp, 3, true));
	EXPECT(!pcp_alloc(&pcp, 5, true));
	EXPECT_EQ(pages_on_lists(), 0);
	EXPECT(validate_zone());
	refuse_memory(false);
	for (unsigned int i = 0; i < 4; i++)
		ASSERT(pcp_alloc(&pcp, i < 3 ? MAX_PAGE_ORDER : 9, true));
	for (unsigned int order = 8; order > 1; order--)
		ASSERT(pcp_alloc(&pcp, order, true) || order <= PCP_MAX_ORDER);
	pcp_drain(&pcp);
	/* Less than a batch may be left. */
	while (pcp_alloc(&pcp, 0, true))
		nr_pages++;
	EXPECT(nr_pages > 0);
	EXPECT_EQ(zone.nr_used[USE_SLAB], 4 * UNIT_PAGES);
	EXPECT_EQ(pages_on_lists(), 0);
	EXPECT(validate_zone());
}

/* Large blocks get their frames at once, if they have none and are going to be used. */
MM_TEST(large_blocks_are_populated)
{
	unsigned char resident[16];
	struct page *page, *small;

	boot(MIB(64));
	small = pcp_alloc(&pcp, 1, true);
	ASSERT(small);
	EXPECT(pcp_alloc(&pcp, 4, false));
	EXPECT_EQ(os_fake_calls(OS_CALL_POPULATE), 0);
	page = pcp_alloc(&pcp, 4, true);
	ASSERT(page);
	EXPECT_EQ(os_fake_calls(OS_CALL_POPULATE), 1);
	ASSERT_EQ(os_mincore(page_address(page), sizeof(resident) * PAGE_SIZE, resident), 0);
	for (unsigned int i = 0; i < sizeof(resident); i++)
		EXPECT_EQ(resident[i] & 1, 1);
	pcp_free(&pcp, page, 4);
	ASSERT_EQ((uintptr_t)pcp_alloc(&pcp, 4, true), (uintptr_t)page);
	EXPECT_EQ(os_fake_calls(OS_CALL_POPULATE), 1); /* they are still there */
}

/* A kernel that cannot, or memory that is short: the program's own writes will tell. */
MM_TEST(what_cannot_be_populated_is_handed_out_all_the_same)
{
	boot(MIB(64));
	os_fake_fail(OS_CALL_POPULATE, 1, UINT_MAX, ENOMEM);
	EXPECT(pcp_alloc(&pcp, 3, true));
	os_fake_feature(OS_FEATURE_POPULATE, false);
	EXPECT(pcp_alloc(&pcp, 4, true));
	EXPECT(validate_zone());
}

RUN_TESTS
