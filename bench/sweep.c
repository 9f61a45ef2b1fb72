/* sweep.c - one block at a time, of every size. */
#include <stdlib.h>

#include "bench.h"

static void pairs(struct bench_run *run, uint64_t count)
{
	while (count--)
		free(bench_keep(malloc((size_t)run->argument)));
}

BENCH(malloc_free, .text = "one block is allocated and freed, and not touched", .run = pairs,
      .batch = 100, .from = 8, .to = 64 << 20, .times = 2, .quick_times = 32)
