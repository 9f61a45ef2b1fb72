/*
 * idle.c - a burst, then nothing to do: what is still resident a second later. In a process of its
 * own, since memory that other rows left behind would serve the burst.
 */
#define _GNU_SOURCE
#include <time.h>

#include "bench.h"
#include "chain.h"

#define BURST ((size_t)256 << 20)

static void *burst_set_up(struct bench_run *run)
{
	uint64_t *before = bench_map(sizeof(*before));

	(void)run;
	*before = bench_resident_kib();
	return before;
}

static void burst(struct bench_run *run, uint64_t count)
{
	struct block *first = NULL;
	size_t size;

	(void)count;
	for (size_t bytes = 0; bytes < BURST; bytes += size) {
		size = 16 + bench_random(run) % 497;
		first = chain_add(first, size);
	}
	chain_free(first);
}

/* Nobody calls malloc meanwhile: whoever gives memory back does it by its own means. */
static void idle_kib(struct bench_run *run)
{
	struct timespec second = { .tv_sec = 1 };
	uint64_t *before = run->data, now;

	nanosleep(&second, NULL);
	now = bench_resident_kib();
	bench_count(run, "idle_kib", now > *before ? (double)(now - *before) : 0);
	bench_unmap(before, sizeof(*before));
}

BENCH(burst_then_idle, "256 MiB of small blocks, freed; a second of nothing (idle_kib is left)",
      .run = burst, .set_up = burst_set_up, .tear_down = idle_kib, .rounds = 1)
