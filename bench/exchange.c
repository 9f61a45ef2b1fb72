/*
 * exchange.c - blocks that another thread frees than has allocated them.
 *
 * Waiting cannot last: all threads are called equally often, each with the same count, and who puts
 * a block into a ring and who takes one out do so equally often in every call. Of the threads the
 * one that is in the earliest call can always go on: its ring is not full, or the blocks that it
 * wants are there.
 */
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "bench.h"
#include "sizes.h"

#define CACHE_LINES 128 /* the processor fetches them in pairs */
#define RING_BLOCKS 4096u
#define BATCH_BLOCKS 500u
#define SAID_BLOCKS 64u
#define MAX_THREADS 8u
#define WRITTEN 64u
#define SHARED_BLOCKS 1000u /* a thread */

/*
 * One thread puts, another takes. Each side says how far it is only now and then, and looks where
 * the other is only when it must: cache lines of the blocks shall wander, not those of the ring.
 */
struct side {
	_Alignas(CACHE_LINES) atomic_size_t said;
	size_t nr, seen; /* of this side so far; of the other */
};

struct ring {
	struct side putter, taker;
	_Alignas(CACHE_LINES) void *blocks[RING_BLOCKS];
};

static void side_say(struct side *side)
{
	atomic_store_explicit(&side->said, side->nr, memory_order_release);
}

static void side_advance(struct side *side)
{
	if (++side->nr % SAID_BLOCKS == 0)
		side_say(side);
}

/* Until the other side is no longer where it was at `limit`. */
static void side_wait(struct side *side, const struct side *other, size_t limit)
{
	while (side->seen == limit) {
		side->seen = atomic_load_explicit(&other->said, memory_order_acquire);
		if (side->seen == limit)
			sched_yield();
	}
}

static void ring_put(struct ring *ring, void *block)
{
	side_wait(&ring->putter, &ring->taker, ring->putter.nr - RING_BLOCKS);
	ring->blocks[ring->putter.nr % RING_BLOCKS] = block;
	side_advance(&ring->putter);
}

static void *ring_take(struct ring *ring)
{
	void *block;

	side_wait(&ring->taker, &ring->putter, ring->taker.nr);
	block = ring->blocks[ring->taker.nr % RING_BLOCKS];
	side_advance(&ring->taker);
	return block;
}

static void *set_up_rings(struct bench_run *run)
{
	return bench_map(run->nr_threads * sizeof(struct ring));
}

static void tear_down_rings(struct bench_run *run)
{
	struct ring *rings = run->data;

	for (unsigned int i = 0; i < run->nr_threads; i++)
		while (rings[i].taker.nr != rings[i].putter.nr)
			free(ring_take(&rings[i]));
	bench_unmap(rings, run->nr_threads * sizeof(*rings));
}

static void *new_block(size_t size)
{
	return memset(bench_malloc(size), 1, size < WRITTEN ? size : WRITTEN);
}

static void put_blocks(struct ring *ring, size_t size, uint64_t count)
{
	while (count--)
		ring_put(ring, new_block(size));
	side_say(&ring->putter); /* the taker may have nothing else to wait for */
}

static void take_blocks(struct ring *ring, uint64_t count)
{
	while (count--) {
		char *block = ring_take(ring);

		if (*block != 1)
			bench_fail("a block has lost its contents");
		free(block);
	}
	side_say(&ring->taker);
}

/*
 * Every second thread allocates what the next one frees. Both count, and each does half of the
 * work for a block, so there are two blocks for each that one of them counts.
 */
static void produce_or_consume(struct bench_run *run, uint64_t count)
{
	struct ring *ring = (struct ring *)run->data + run->thread / 2;

	if (run->thread % 2)
		take_blocks(ring, 2 * count);
	else
		put_blocks(ring, (size_t)run->argument, 2 * count);
}

/* To the right, and from the left. */
static void pass_on(struct bench_run *run, uint64_t count)
{
	struct ring *rings = run->data;

	put_blocks(&rings[run->thread], (size_t)run->argument, count);
	take_blocks(&rings[(run->thread + run->nr_threads - 1) % run->nr_threads], count);
}

/* --- as larson: blocks of all lie in one table ------------------------------------------------ */

struct table {
	_Atomic(void *) blocks[MAX_THREADS * SHARED_BLOCKS];
};

static void *set_up_table(struct bench_run *run)
{
	(void)run;
	return bench_map(sizeof(struct table));
}

static void tear_down_table(struct bench_run *run)
{
	struct table *table = run->data;

	for (size_t i = 0; i < MAX_THREADS * SHARED_BLOCKS; i++)
		free(table->blocks[i]);
	bench_unmap(table, sizeof(*table));
}

static void fill_own_part(struct bench_run *run)
{
	struct table *table = run->data;

	for (size_t i = 0; i < SHARED_BLOCKS; i++)
		table->blocks[run->thread * SHARED_BLOCKS + i] =
			new_block(16 + bench_random(run) % 497);
}

static void swap_blocks(struct bench_run *run, uint64_t count)
{
	struct table *table = run->data;

	while (count--) {
		size_t place = bench_random(run) % (run->nr_threads * SHARED_BLOCKS);
		void *block = new_block(16 + bench_random(run) % 497);

		free(atomic_exchange_explicit(&table->blocks[place], block, memory_order_acq_rel));
	}
}

BENCH(producer_consumer, "every second thread allocates what the next one frees",
      .run = produce_or_consume, .batch = BATCH_BLOCKS, .from = 64, .to = 16384, .times = 16,
      .quick_times = 256, .set_up = set_up_rings, .tear_down = tear_down_rings,
      .fewest_threads = 2, .threads = 4, .quick_threads = 2)
BENCH(chain, "each thread frees what its neighbour has allocated",
      .run = pass_on, .batch = BATCH_BLOCKS, .from = 64, .to = 16384, .times = 16,
      .quick_times = 256, .set_up = set_up_rings, .tear_down = tear_down_rings,
      .fewest_threads = 2, .threads = 4, .quick_threads = 2)
BENCH(shared_table, "threads replace blocks at random in one table, as larson does",
      .run = swap_blocks, .batch = 1000, .set_up = set_up_table, .warm_up = fill_own_part,
      .tear_down = tear_down_table, .threads = 4, .quick_threads = 2)
