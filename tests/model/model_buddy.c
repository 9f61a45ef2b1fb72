/*
 * model_buddy.c - the buddy against a byte array with an entry a page: a block can be had exactly
 * when one is free, everything free is merged as far as it goes, and no page that was written to
 * is ever taken for zero.
 */
#include <errno.h>

#include "mm/page_alloc.h"
#include "mm/range.h"
#include "mm/reclaim.h"
#include "mm/residency.h"
#include "unit/mm/mm_test.h"

#define NR_UNITS 4u
#define NR_PAGES (NR_UNITS * UNIT_PAGES)

static uint8_t used[NR_PAGES], touched[NR_PAGES];

static struct {
	size_t pfn;
	unsigned int order;
} blocks[NR_PAGES];
static size_t nr_blocks;

static bool memory_refused;

static bool is_all(const uint8_t *pages, size_t pfn, size_t nr_pages, uint8_t value)
{
	for (size_t i = 0; i < nr_pages; i++)
		if (pages[pfn + i] != value)
			return false;
	return true;
}

/* Opened or not, wherever: an aligned block without a used page. */
static bool can_be_had(unsigned int order)
{
	size_t step = (size_t)1 << order;

	for (size_t pfn = 0; pfn < NR_PAGES; pfn += step)
		if (is_all(used, pfn, step, false) && (!memory_refused || pfn_is_open(pfn)))
			return true;
	return false;
}

/* --- operations ------------------------------------------------------------------------------ */

/* What is not touched must read as zero; then the first and last page are written to. */
static void use_block(size_t pfn, size_t nr_pages)
{
	const size_t ends[] = { pfn, pfn + nr_pages - 1 };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		if (!is_touched(ends[i]))
			ASSERT(*first_word(ends[i]) == 0 || (i && ends[0] == ends[1]));
		*first_word(ends[i]) = pfn + 1;
	}
}

static void alloc(uint64_t *random)
{
	unsigned int order = (unsigned int)min_size(kunit_below(random, NR_PAGE_ORDERS),
						    kunit_below(random, NR_PAGE_ORDERS));
	bool possible = can_be_had(order);
	struct page *page = alloc_pages_locked(order);
	size_t pfn, nr_pages = (size_t)1 << order;

	ASSERT_EQ(page != NULL, possible);
	if (!page)
		return;
	pfn = page_to_pfn(page);
	ASSERT(is_aligned(pfn, nr_pages));
	ASSERT(is_all(used, pfn, nr_pages, false));
	ASSERT_EQ(page->kind, PAGE_NONE);
	memset(&used[pfn], true, nr_pages);
	use_block(pfn, nr_pages);
	zone_count_locked(USE_SLAB, (ptrdiff_t)nr_pages);
	blocks[nr_blocks].pfn = pfn;
	blocks[nr_blocks++].order = order;
}

static void release(uint64_t *random)
{
	size_t i = kunit_below(random, nr_blocks);
	size_t pfn = blocks[i].pfn, nr_pages = (size_t)1 << blocks[i].order;

	ASSERT_EQ(*first_word(pfn), pfn + 1);
	ASSERT_EQ(*first_word(pfn + nr_pages - 1), pfn + 1);
	memset(&used[pfn], false, nr_pages);
	memset(&touched[pfn], true, nr_pages);
	zone_count_locked(USE_SLAB, -(ptrdiff_t)nr_pages);
	free_pages_locked(pfn_to_page(pfn), blocks[i].order);
	blocks[i] = blocks[--nr_blocks];
}

/* The kernel drops all, nothing, or one range a call. */
static void reclaim(uint64_t *random)
{
	bool refuse = !kunit_below(random, 3);
	size_t nr_dropped = 0;

	os_fake_fail(OS_CALL_PURGE_RANGES, refuse, refuse ? UINT_MAX : 0, EINVAL);
	os_fake_purge_limit(kunit_below(random, 2) ? 1 : UINT_MAX);
	for (size_t pfn = 0; pfn < NR_PAGES && !refuse; pfn++) {
		nr_dropped += touched[pfn] && !used[pfn];
		touched[pfn] = touched[pfn] && used[pfn];
	}
	zone_unlock();
	ASSERT_EQ(reclaim_all(), nr_dropped);
	zone_lock();
}

/* --- quiet points ---------------------------------------------------------------------------- */

/* The order of the free block that starts at pfn when everything is merged; -1: none does. */
static int merged_order(size_t pfn)
{
	int order = -1;

	for (unsigned int o = 0; o < NR_PAGE_ORDERS && is_aligned(pfn, (size_t)1 << o); o++)
		if (is_all(used, pfn, (size_t)1 << o, false))
			order = (int)o;
	return order;
}

static void compare_unit(size_t first, size_t *nr_whole)
{
	for (size_t pfn = first; pfn < first + UNIT_PAGES;) {
		const struct page *page = pfn_to_page(pfn);
		int order = merged_order(pfn);

		if (order < 0) {
			ASSERT(page->kind != PAGE_BUDDY);
			pfn++;
			continue;
		}
		if (order == MAX_PAGE_ORDER && page->kind != PAGE_BUDDY) {
			pfn += UNIT_PAGES; /* with the range allocator */
			continue;
		}
		ASSERT_EQ(page->kind, PAGE_BUDDY);
		ASSERT_EQ(page->order, order);
		*nr_whole += order == MAX_PAGE_ORDER;
		pfn += (size_t)1 << order;
	}
}

static void compare_all(void)
{
	size_t nr_whole = 0, nr_touched = 0;

	for (size_t pfn = 0; pfn < zone.nr_opened; pfn++) {
		ASSERT_EQ(is_touched(pfn), touched[pfn]);
		nr_touched += touched[pfn] && !used[pfn];
	}
	ASSERT_EQ(zone.nr_free_touched, nr_touched);
	for (size_t pfn = 0; pfn < zone.nr_opened; pfn += UNIT_PAGES)
		compare_unit(pfn, &nr_whole);
	ASSERT(nr_whole <= 1); /* the one that the buddy keeps */
	zone_unlock();
	ASSERT(validate_zone());
	zone_lock();
}

TEST(model_of_the_buddy)
{
	uint64_t random = kunit_seed(), nr_ops = kunit_ops(1000000);

	boot_heap(NR_UNITS * UNIT_BYTES);
	zone_lock();
	for (uint64_t op = 0; op < nr_ops; op++) {
		uint64_t what = kunit_below(&random, 10000);
		/* The heap is drained and filled by turns. */
		uint64_t share = op / 2000 % 2 ? 4000 : 6000;

		if (what == 0)
			reclaim(&random);
		if (what == 1)
			refuse_memory(memory_refused = kunit_below(&random, 2));
		if (what < share || !nr_blocks)
			alloc(&random);
		else
			release(&random);
		if (op % 4096 == 0)
			compare_all();
	}
	compare_all();
	zone_unlock();
}

RUN_TESTS
