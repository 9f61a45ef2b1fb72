/*
 * sharing.c - do objects of two threads lie in one cache line? After Hoard's cache-thrash, where
 * each thread allocates its own (active sharing), and cache-scratch, where the first object comes
 * from one thread for all of them, and who frees it could get the same place again (passive).
 * A row's time is that of one object: malloc, the writes, free.
 */
#include "bench.h"

#define OBJECT_BYTES 8
#define NR_WRITES 1000u
#define MAX_THREADS 8u

static void write_often(struct bench_run *run, uint64_t count)
{
	(void)run;
	while (count--) {
		volatile uint64_t *object = bench_malloc(OBJECT_BYTES);

		*object = 0;
		for (unsigned int i = 0; i < NR_WRITES; i++)
			*object += i;
		free((void *)(uintptr_t)object);
	}
}

static void *allocate_for_all(struct bench_run *run)
{
	void **objects = bench_map(MAX_THREADS * sizeof(*objects));

	for (unsigned int i = 0; i < run->nr_threads; i++)
		objects[i] = bench_malloc(OBJECT_BYTES);
	return objects;
}

static void free_own(struct bench_run *run)
{
	void **objects = run->data;

	*(uint64_t *)objects[run->thread] = 1;
	free(objects[run->thread]);
}

static void tear_down(struct bench_run *run)
{
	bench_unmap(run->data, MAX_THREADS * sizeof(void *));
}

BENCH(active_sharing, "each thread allocates a block, writes it often, frees it (cache-thrash)",
      .run = write_often, .batch = 100, .threads = 4, .quick_threads = 2)
BENCH(passive_sharing, "the same from blocks that one thread has allocated (cache-scratch)",
      .run = write_often, .batch = 100, .threads = 4, .quick_threads = 2,
      .set_up = allocate_for_all, .warm_up = free_own, .tear_down = tear_down)
