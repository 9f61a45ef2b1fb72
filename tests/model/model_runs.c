/*
 * model_runs.c - page runs against an array with an entry a page: a run can be had exactly when a
 * gap or a whole block is free, grows exactly when the pages behind it are, is freed exactly once,
 * and no page that was written to is ever taken for zero.
 */
#include <errno.h>

#include "mm/page_alloc.h"
#include "mm/pagerun.h"
#include "mm/reclaim.h"
#include "mm/residency.h"
#include "unit/mm/mm_test.h"

#define NR_BLOCKS 8u
#define NR_PAGES (NR_BLOCKS * PAGEBLOCK_PAGES)

/* Number of the run that a page is in, or 0. */
static uint32_t owner[NR_PAGES];
static bool touched[NR_PAGES];

static struct {
	size_t pfn, nr_pages;
	uint32_t number;
} runs[NR_PAGES];
static size_t nr_runs;
static uint32_t last_number;

static bool memory_refused;

static bool is_free(size_t pfn, size_t nr_pages)
{
	for (size_t i = 0; i < nr_pages; i++)
		if (owner[pfn + i])
			return false;
	return true;
}

static void set_owner(size_t pfn, size_t nr_pages, uint32_t number)
{
	for (size_t i = 0; i < nr_pages; i++)
		owner[pfn + i] = number;
}

/* There is nothing but runs here, so every free page is in reach of every request. */
static bool can_be_had(size_t nr_pages, size_t align)
{
	for (size_t pfn = 0; pfn < NR_PAGES; pfn += align) {
		size_t left = PAGEBLOCK_PAGES - pfn % PAGEBLOCK_PAGES;

		if (memory_refused && !pfn_is_open(pfn))
			continue;
		if (nr_pages <= left && is_free(pfn, nr_pages))
			return true;
	}
	return false;
}

/* --- operations ------------------------------------------------------------------------------- */

static void use_page(size_t pfn)
{
	ASSERT_EQ(is_touched(pfn), touched[pfn]);
	if (!touched[pfn] && *first_word(pfn) != 0)
		ASSERT_EQ(*first_word(pfn), owner[pfn]); /* written to by this run, just now */
	*first_word(pfn) = owner[pfn];
}

static void use_pages(size_t pfn, size_t nr_pages)
{
	use_page(pfn);
	use_page(pfn + nr_pages / 2);
	use_page(pfn + nr_pages - 1);
}

static size_t random_length(uint64_t *random)
{
	return 1 + kunit_below(random, (size_t)1 << kunit_below(random, 10));
}

static void alloc(uint64_t *random)
{
	size_t nr_pages = random_length(random);
	size_t align = kunit_below(random, 4) ? 1 : (size_t)1 << kunit_below(random, 10);
	bool possible = can_be_had(nr_pages, align);
	struct page *page = run_alloc(nr_pages, align);
	size_t pfn;

	ASSERT_EQ(page != NULL, possible);
	if (!page)
		return;
	pfn = page_to_pfn(page);
	ASSERT(is_aligned((uintptr_t)page_address(page), align * PAGE_SIZE));
	ASSERT(pfn % PAGEBLOCK_PAGES + nr_pages <= PAGEBLOCK_PAGES);
	ASSERT(is_free(pfn, nr_pages));
	ASSERT_EQ(page->nr_pages, nr_pages);
	ASSERT_EQ(pagemap_read(pfn), PAGEMAP_RUN);
	set_owner(pfn, nr_pages, ++last_number);
	use_pages(pfn, nr_pages);
	runs[nr_runs].pfn = pfn;
	runs[nr_runs].nr_pages = nr_pages;
	runs[nr_runs++].number = last_number;
}

static void give_pages(size_t pfn, size_t nr_pages)
{
	set_owner(pfn, nr_pages, 0);
	memset(&touched[pfn], true, nr_pages);
}

static void release(uint64_t *random)
{
	size_t i = kunit_below(random, nr_runs);
	size_t pfn = runs[i].pfn, nr_pages = runs[i].nr_pages;
	uint32_t number = runs[i].number;

	for (size_t p = pfn; p < pfn + nr_pages; p++)
		ASSERT_EQ(owner[p], number);
	ASSERT_EQ(*first_word(pfn), number);
	runs[i] = runs[--nr_runs];
	give_pages(pfn, nr_pages);
	ASSERT(run_free(pfn_to_page(pfn)));
	ASSERT_EQ(pagemap_read(pfn), 0);
	ASSERT(!run_free(pfn_to_page(pfn)));
}

static void resize(uint64_t *random)
{
	size_t i = kunit_below(random, nr_runs);
	size_t pfn = runs[i].pfn, old = runs[i].nr_pages;
	size_t nr_pages = kunit_below(random, 2) ? 1 + kunit_below(random, old) :
						   old + random_length(random);
	bool possible = nr_pages <= PAGEBLOCK_PAGES - pfn % PAGEBLOCK_PAGES &&
			(nr_pages <= old || is_free(pfn + old, nr_pages - old));

	ASSERT_EQ(run_resize(pfn_to_page(pfn), nr_pages), possible);
	ASSERT_EQ(pfn_to_page(pfn)->nr_pages, possible ? nr_pages : old);
	if (!possible)
		return;
	runs[i].nr_pages = nr_pages;
	if (nr_pages < old) {
		give_pages(pfn + nr_pages, old - nr_pages);
	} else if (nr_pages > old) {
		set_owner(pfn + old, nr_pages - old, runs[i].number);
		use_pages(pfn + old, nr_pages - old);
	}
}

/* The kernel drops all, nothing, or one range a call. */
static void reclaim(uint64_t *random)
{
	bool refuse = !kunit_below(random, 3);
	size_t nr_dropped = 0;

	os_fake_fail(OS_CALL_PURGE_RANGES, refuse, refuse ? UINT_MAX : 0, EINVAL);
	os_fake_purge_limit(kunit_below(random, 2) ? 1 : UINT_MAX);
	for (size_t pfn = 0; pfn < NR_PAGES && !refuse; pfn++) {
		nr_dropped += touched[pfn] && !owner[pfn];
		touched[pfn] = touched[pfn] && owner[pfn];
	}
	ASSERT_EQ(reclaim_all(), nr_dropped);
}

/* A pointer to anything but the head of a run frees nothing. */
static void free_wrongly(uint64_t *random)
{
	size_t pfn = kunit_below(random, NR_PAGES);

	if (pfn_is_open(pfn) && (pfn == 0 || !owner[pfn] || owner[pfn] == owner[pfn - 1]))
		if (!owner[pfn] || pfn % PAGEBLOCK_PAGES)
			ASSERT(!run_free(pfn_to_page(pfn)));
}

/* --- quiet points ---------------------------------------------------------------------------- */

static void compare_block(size_t first)
{
	const struct pageblock *block = pfn_to_pageblock(first);

	if (block->kind != PAGEBLOCK_RUNS) {
		ASSERT(is_free(first, PAGEBLOCK_PAGES));
		return;
	}
	for (size_t bit = 0; bit < PAGEBLOCK_PAGES; bit++)
		ASSERT_EQ(block->run_map[bit / 64] >> bit % 64 & 1, owner[first + bit] != 0);
}

static void compare_all(void)
{
	size_t nr_touched = 0, nr_used = 0;

	for (size_t pfn = 0; pfn < NR_PAGES; pfn++) {
		nr_touched += touched[pfn] && !owner[pfn];
		nr_used += owner[pfn] != 0;
		if (!pfn_is_open(pfn)) {
			ASSERT(!owner[pfn]);
			continue;
		}
		ASSERT_EQ(is_touched(pfn), touched[pfn]);
		if (pfn % PAGEBLOCK_PAGES == 0)
			compare_block(pfn);
	}
	ASSERT_EQ(zone.nr_free_touched, nr_touched);
	ASSERT_EQ(zone.nr_used[USE_RUN], nr_used);
	ASSERT(validate_zone());
}

TEST(model_of_page_runs)
{
	uint64_t random = kunit_seed(), nr_ops = kunit_ops(1000000);

	boot_heap(NR_PAGES * PAGE_SIZE);
	for (uint64_t op = 0; op < nr_ops; op++) {
		uint64_t what = kunit_below(&random, 10000);
		/* The heap is drained and filled by turns. */
		uint64_t share = op / 2000 % 2 ? 3000 : 5000;

		if (what == 0)
			reclaim(&random);
		if (what == 1)
			refuse_memory(memory_refused = kunit_below(&random, 2));
		if (what % 64 == 2)
			free_wrongly(&random);
		if (what >= 8000 && nr_runs)
			resize(&random);
		else if (what < share || !nr_runs)
			alloc(&random);
		else
			release(&random);
		if (op % 4096 == 0)
			compare_all();
	}
	compare_all();
}

RUN_TESTS
