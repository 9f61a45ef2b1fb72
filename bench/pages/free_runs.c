/*
 * free_runs.c - how long the free runs are that page runs leave, beside a buddy's and other ways
 * of choosing the pageblock. It calls the page layer, below the library's entry points.
 *
 *	free_runs [SEED]
 *
 * The same allocations and frees, whatever serves them: about 512 MiB of page runs stand, a
 * million operations change them, a tenth of the runs lives 20 times as long as the others.
 */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "mm/page_alloc.h"
#include "mm/pagerun.h"
#include "mm/section.h"

#define WINDOW_BYTES ((size_t)4 << 30)
#define WINDOW_PAGES (WINDOW_BYTES / PAGE_SIZE)
#define LIVE_PAGES (((size_t)512 << 20) / PAGE_SIZE)
#define NR_OPERATIONS 1000000u
#define SHORT_SHARE 0.9
#define LONG_FACTOR 20.0
/* A run that no whole free unit interrupts ends within the unit behind the one it starts in. */
#define MAX_RUN ((size_t)2 * UNIT_PAGES)

struct policy {
	const char *name;
	size_t (*alloc)(size_t nr_pages);
	void (*free)(size_t pfn, size_t nr_pages);
	/* Of packers. The block with the lowest sum is taken, of equals the lowest block. */
	unsigned int weight_of_fit, weight_of_free;
};

struct workload {
	size_t least, most; /* pages; the logarithm is uniform, or the size is */
	bool logarithmic;
	double mean;
};

/* Short and long lives are exponential, so any run of a pool may be the next to die. */
struct pool {
	size_t nr;
	struct run {
		uint32_t pfn, nr_pages;
	} runs[LIVE_PAGES];
};

static const struct policy *policy;
static const struct workload *workload;
static struct pool pools[2]; /* the short lives, the long ones */
static bool used[WINDOW_PAGES];
static size_t nr_live; /* pages */
static size_t nr_runs_of[MAX_RUN]; /* free runs by length */

static size_t runs_alloc(size_t nr_pages)
{
	struct page *page = run_alloc(nr_pages, 1);

	assert(page);
	return page_to_pfn(page);
}

static void runs_free(size_t pfn, size_t nr_pages)
{
	if (pfn_to_page(pfn)->nr_pages != nr_pages || !run_free(pfn_to_page(pfn)))
		abort();
}

/* Pages go back as the largest aligned blocks that they are made of. */
static void buddy_free(size_t pfn, size_t nr_pages)
{
	zone_lock();
	while (nr_pages) {
		size_t alignment = lowest_bit(pfn | WINDOW_PAGES);
		size_t piece = min_size((size_t)1 << ilog2(nr_pages), alignment);

		free_pages_locked(pfn_to_page(pfn), ilog2(piece));
		pfn += piece;
		nr_pages -= piece;
	}
	zone_unlock();
}

static size_t buddy_alloc(size_t nr_pages)
{
	size_t block_pages = roundup_pow_of_two(nr_pages);
	struct page *page;

	zone_lock();
	page = alloc_pages_locked(ilog2(block_pages));
	zone_unlock();
	assert(page);
	buddy_free(page_to_pfn(page) + nr_pages, block_pages - nr_pages);
	return page_to_pfn(page);
}

/* Looks at every block that has something in it. */
static struct pageblock *packed_find(size_t nr_pages)
{
	size_t nr_blocks = zone.sections[0].low * UNIT_PAGEBLOCKS, lowest = SIZE_MAX;
	struct pageblock *found = NULL;

	for (size_t i = 0; i < nr_blocks; i++) {
		struct pageblock *block = pfn_to_pageblock(i * PAGEBLOCK_PAGES);
		size_t sum = policy->weight_of_fit * block->longest_free +
			     policy->weight_of_free * (PAGEBLOCK_PAGES - block->nr_used);

		if (block->nr_used && block->longest_free >= nr_pages && sum < lowest) {
			found = block;
			lowest = sum;
		}
	}
	return found;
}

static size_t packed_alloc(size_t nr_pages)
{
	struct pageblock *block = packed_find(nr_pages);
	size_t bit;

	if (!block)
		block = pfn_to_pageblock(buddy_alloc(PAGEBLOCK_PAGES));
	bit = bitmap_find_zero_area(block->run_map, PAGEBLOCK_PAGES, 0, nr_pages, 1);
	bitmap_set_range(block->run_map, bit, nr_pages);
	block->nr_used = (uint16_t)(block->nr_used + nr_pages);
	block->longest_free = (uint16_t)run_map_longest_free(block->run_map);
	return pageblock_to_pfn(block) + bit;
}

static void packed_free(size_t pfn, size_t nr_pages)
{
	struct pageblock *block = pfn_to_pageblock(pfn);

	bitmap_clear_range(block->run_map, pfn % PAGEBLOCK_PAGES, nr_pages);
	block->nr_used = (uint16_t)(block->nr_used - nr_pages);
	block->longest_free = (uint16_t)run_map_longest_free(block->run_map);
	if (!block->nr_used)
		buddy_free(pageblock_to_pfn(block), PAGEBLOCK_PAGES);
}

static void pool_add(struct pool *pool)
{
	double least = (double)workload->least, ratio = (double)(workload->most + 1) / least;
	double u = drand48();
	size_t nr_pages = (size_t)(least * (workload->logarithmic ? pow(ratio, u) :
								    1 + u * (ratio - 1)));
	size_t pfn = policy->alloc(nr_pages);

	assert(pool->nr < LIVE_PAGES && !memchr(used + pfn, true, nr_pages));
	memset(used + pfn, true, nr_pages);
	nr_live += nr_pages;
	pool->runs[pool->nr++] = (struct run){ (uint32_t)pfn, (uint32_t)nr_pages };
}

static void pool_remove(struct pool *pool, size_t i)
{
	struct run run = pool->runs[i];

	pool->runs[i] = pool->runs[--pool->nr];
	memset(used + run.pfn, false, run.nr_pages);
	nr_live -= run.nr_pages;
	policy->free(run.pfn, run.nr_pages);
}

static struct pool *pool_pick(double short_share)
{
	return &pools[drand48() >= short_share];
}

/* Births come at rate 1, deaths at the rate of each pool; it starts in equilibrium. */
static void churn(void)
{
	double nr_runs = (double)LIVE_PAGES / workload->mean;
	double short_life = nr_runs / (SHORT_SHARE + (1 - SHORT_SHARE) * LONG_FACTOR);

	for (double n = 0; n < nr_runs; n++)
		pool_add(pool_pick(SHORT_SHARE * short_life / nr_runs));
	for (unsigned int i = 0; i < NR_OPERATIONS; i++) {
		double short_rate = (double)pools[0].nr / short_life;
		double long_rate = (double)pools[1].nr / (short_life * LONG_FACTOR);
		double event = drand48() * (1 + short_rate + long_rate);
		struct pool *dying = &pools[event >= 1 + short_rate];

		if (event < 1)
			pool_add(pool_pick(SHORT_SHARE));
		else
			pool_remove(dying, (size_t)(drand48() * (double)dying->nr));
	}
}

/* Fills nr_runs_of; returns the number of units without a used page, which end a run. */
static size_t count_runs(size_t nr_units)
{
	size_t nr_free_units = 0, length = 0;

	memset(nr_runs_of, 0, sizeof(nr_runs_of));
	for (size_t page = 0; page < nr_units * UNIT_PAGES; page++) {
		bool is_free_unit = is_aligned(page, UNIT_PAGES) &&
				    !memchr(used + page, true, UNIT_PAGES);

		nr_free_units += is_free_unit;
		page += is_free_unit ? UNIT_PAGES - 1 : 0;
		if (used[page] || is_free_unit)
			nr_runs_of[length]++;
		length = used[page] || is_free_unit ? 0 : length + 1;
	}
	nr_runs_of[length]++;
	return nr_free_units;
}

static void report(const char *when)
{
	size_t opened = zone.sections[0].low * UNIT_PAGES;
	size_t unit_pages = count_runs(opened / UNIT_PAGES) * UNIT_PAGES;
	size_t nr_free = 0, nr_runs = 0, in_16 = 0, in_64 = 0, passed = 0, median = 0, squares = 0;

	for (size_t length = 1; length < MAX_RUN; length++) {
		size_t pages = length * nr_runs_of[length];

		nr_runs += nr_runs_of[length];
		nr_free += pages;
		in_16 += length >= 16 ? pages : 0;
		in_64 += length >= 64 ? pages : 0;
		squares += length * pages;
	}
	assert(nr_live + nr_free + unit_pages == opened);
	for (; passed * 2 < nr_free; passed += median * nr_runs_of[median])
		median++;
	printf("| %zu-%zu | %s | %s | %.1f | %.0f | %zu | %.0f | %.0f | %.1f | %.2f | %.2f |",
	       workload->least, workload->most, policy->name, when,
	       (double)nr_free / (double)nr_runs, (double)squares / (double)nr_free, median,
	       100.0 * (double)in_16 / (double)nr_free, 100.0 * (double)in_64 / (double)nr_free,
	       100.0 * (double)unit_pages / (double)opened,
	       (double)(opened - unit_pages) / (double)nr_live, (double)opened / (double)nr_live);
}

static void run_rows(void)
{
	clock_t start = clock();

	zone_init();
	if (!sections_boot(WINDOW_BYTES))
		abort();
	churn();
	start = clock() - start;
	report("steady");
	printf(" %.0f |\n", (double)start * (1e9 / CLOCKS_PER_SEC / NR_OPERATIONS));
	for (struct pool *pool = pools; pool < pools + 2; pool++)
		for (size_t i = pool->nr; i--;)
			if (drand48() < 0.5)
				pool_remove(pool, i);
	report("half freed");
	printf(" |\n");
}

static const struct policy policies[] = {
	{ "buddy, tails returned", buddy_alloc, buddy_free, 0, 0 },
	{ "page runs", runs_alloc, runs_free, 0, 0 },
	{ "exact best fit", packed_alloc, packed_free, 1, 0 },
	{ "fullest block", packed_alloc, packed_free, 0, 1 },
	{ "lowest block", packed_alloc, packed_free, 0, 0 },
};

static const struct workload workloads[] = {
	{ 4, 8, false, 6.0 },
	{ 3, 64, true, 19.6 },
	{ 3, 512, true, 98.7 },
};

int main(int argc, char **argv)
{
	long seed = argc > 1 ? strtol(argv[1], NULL, 0) : 1;

	printf("| pages | served by | when | mean | weighted | median | in >= 16, %% | "
	       "in >= 64, %% | free units, %% | opened without them / live | opened / live | ns |\n"
	       "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
	for (size_t row = 0; row < ARRAY_SIZE(workloads) * ARRAY_SIZE(policies); row++) {
		int status = -1;

		workload = &workloads[row / ARRAY_SIZE(policies)];
		policy = &policies[row % ARRAY_SIZE(policies)];
		srand48(seed);
		fflush(NULL);
		if (!fork()) {
			run_rows();
			return 0;
		}
		wait(&status);
		assert(!status);
	}
	return 0;
}
