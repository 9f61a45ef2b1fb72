/* sweep.c - one block at a time, of every size. */
#include <string.h>

#include "bench.h"

#define PAGE 4096u
#define HEAD 64u /* bytes that are written of every block */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void touch(char *block, size_t size)
{
	memset(block, 1, least(size, HEAD));
	for (size_t at = PAGE; at < size; at += PAGE)
		block[at] = 1;
	bench_keep(block);
}

static void pairs(struct bench_run *run, uint64_t count)
{
	while (count--)
		free(bench_keep(malloc((size_t)run->argument)));
}

static void touched_pairs(struct bench_run *run, uint64_t count)
{
	while (count--) {
		char *block = bench_malloc((size_t)run->argument);

		touch(block, (size_t)run->argument);
		free(block);
	}
}

static void calloc_pairs(struct bench_run *run, uint64_t count)
{
	while (count--)
		free(bench_check(calloc(1, (size_t)run->argument)));
}

static void aligned_pairs(struct bench_run *run, uint64_t count)
{
	size_t size = (size_t)run->argument;
	size_t power = (size_t)1 << (63 - __builtin_clzll((unsigned long long)size));

	while (count--)
		free(bench_check(aligned_alloc(least(power, PAGE), size)));
}

/* As a vector does that somebody appends to. */
static void grow(struct bench_run *run, uint64_t count)
{
	size_t most = (size_t)run->argument;

	while (count--) {
		size_t size = 16, larger;
		char *block = memset(bench_malloc(size), 1, size);

		for (; size < most; size = larger) {
			larger = least(size + size / 2, most);
			block = bench_check(realloc(block, larger));
			memset(block + size, 1, larger - size);
		}
		free(bench_keep(block));
	}
}

/* Batches of 10 where 64 MiB take milliseconds: the loop around them costs 8 bytes 0.3 ns more. */
BENCH(malloc_free, "one block is allocated and freed, and not touched",
      .run = pairs, .batch = 100, .from = 8, .to = 64 << 20, .times = 2, .quick_times = 32)
BENCH(malloc_touch_free, "the same, a byte written in every page",
      .run = touched_pairs, .batch = 10, .from = 8, .to = 64 << 20, .times = 2, .quick_times = 32)
BENCH(calloc_free, "one block is allocated cleared and freed",
      .run = calloc_pairs, .batch = 10, .from = 8, .to = 64 << 20, .times = 2, .quick_times = 32)
BENCH(aligned_free, "one block aligned to its size, to a page at most, is allocated and freed",
      .run = aligned_pairs, .batch = 10, .from = 8, .to = 64 << 20, .times = 2, .quick_times = 32)
BENCH(realloc_growth, "a block grows from 16 bytes by half of its size, written at its end",
      .run = grow, .from = 64, .to = 64 << 20, .times = 2, .quick_times = 64)
