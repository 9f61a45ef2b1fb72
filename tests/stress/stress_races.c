/*
 * stress_races.c - threads that live in the slow paths: page runs, areas, slabs that come and go.
 *
 * Blocks carry tags at both ends only, so that most of the time is spent under the allocator's
 * locks and not in the test. Every thread swaps blocks with all others through one table; a
 * block of each kind is soon freed by whoever got it. Threads trim and read statistics
 * meanwhile. At the end, and whenever all threads have met, the validators must agree.
 */
#include "../fuzz/validators.h"
#include "stress.h"

#define THREADS 4
#define SLOTS 48
#define SHARED 64
#define STEPS 3000 /* between two meetings */
#define EDGE 16	   /* bytes tagged at each end */

struct place {
	atomic_flag taken;
	struct block block;
};

static struct place shared[SHARED];
static pthread_barrier_t met;
static _Atomic bool stop;
static _Atomic unsigned long nr_steps;

static size_t pick_size(struct rng *rng)
{
	switch (rng_below(rng, 8)) {
	case 0:
		return MIB(2) + rng_below(rng, MIB(4));
	case 1:
		return KIB(64) + rng_below(rng, MIB(2));
	case 2:
	case 3:
		return KIB(4) + rng_below(rng, KIB(13)); /* the largest classes: few in a slab */
	default:
		return KIB(8) + 1 + rng_below(rng, KIB(64));
	}
}

static void ends_tag(const struct block *block)
{
	tag_fill(block->address, block->id, 0, EDGE);
	tag_fill(block->address, block->id, block->bytes - EDGE, block->bytes);
}

static void ends_check(const struct block *block)
{
	if (tag_check(block->address, block->id, 0, EDGE) != TAG_OK ||
	    tag_check(block->address, block->id, block->bytes - EDGE, block->bytes) != TAG_OK)
		die("the block of %zu bytes at %p changed", block->bytes, block->address);
}

static void ends_new(struct block *block, struct rng *rng)
{
	block->bytes = pick_size(rng);
	block->id = rng_next(rng);
	if (rng_below(rng, 8))
		block->address = stitch_malloc(block->bytes);
	else
		block->address = stitch_memalign((size_t)4096 << rng_below(rng, 10), block->bytes);
	if (!block->address)
		die("no memory for %zu bytes", block->bytes);
	ends_tag(block);
}

static void ends_free(struct block *block)
{
	ends_check(block);
	stitch_free(block->address);
	block->address = NULL;
}

/* Enough objects of one class for slabs to be made, and all of them back. */
static void slab_burst(struct rng *rng)
{
	struct block blocks[100];
	size_t bytes = EDGE + rng_below(rng, 2000);

	for (unsigned int i = 0; i < ARRAY_SIZE(blocks); i++) {
		blocks[i] = (struct block){ stitch_malloc(bytes), bytes, rng_next(rng) };
		if (!blocks[i].address)
			die("no memory for %zu bytes", bytes);
		ends_tag(&blocks[i]);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(blocks); i++)
		ends_free(&blocks[i]);
}

static void swap(struct block *block, struct rng *rng)
{
	struct place *place = &shared[rng_below(rng, SHARED)];
	struct block mine = *block;

	while (atomic_flag_test_and_set_explicit(&place->taken, memory_order_acquire))
		;
	*block = place->block;
	place->block = mine;
	atomic_flag_clear_explicit(&place->taken, memory_order_release);
}

static void step(struct block *block, struct rng *rng)
{
	size_t place = rng_below(rng, 1024);

	if (place == 0)
		stitch_malloc_trim(0);
	else if (place == 1)
		stitch_mallinfo2();
	else if (place < 64)
		slab_burst(rng);
	else if (!block->address)
		ends_new(block, rng);
	else if (place < 512)
		swap(block, rng);
	else
		ends_free(block);
}

static void *race_run(void *argument)
{
	static struct block all_blocks[THREADS][SLOTS];
	struct block *blocks = all_blocks[(size_t)argument];
	struct rng rng = { .state = (uint64_t)argument };

	do {
		for (unsigned int i = 0; i < STEPS; i++)
			step(&blocks[rng_below(&rng, SLOTS)], &rng);
		atomic_fetch_add(&nr_steps, STEPS);
		pthread_barrier_wait(&met); /* main looks at the heap */
		pthread_barrier_wait(&met);
	} while (!atomic_load(&stop));
	for (unsigned int i = 0; i < SLOTS; i++)
		if (blocks[i].address)
			ends_free(&blocks[i]);
	return NULL;
}

int main(void)
{
	double end = stress_end();
	pthread_t threads[THREADS];

	pthread_barrier_init(&met, NULL, THREADS + 1);
	for (size_t i = 0; i < THREADS; i++)
		thread_start(&threads[i], race_run, (void *)i);
	do {
		pthread_barrier_wait(&met);
		if (!heap_is_valid())
			die("the validators of the heap found it broken");
		atomic_store(&stop, seconds_now() >= end);
		pthread_barrier_wait(&met);
	} while (!atomic_load(&stop));
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < SHARED; i++)
		if (shared[i].block.address)
			ends_free(&shared[i].block);
	expect_nothing_live();
	printf("%lu steps\n", atomic_load(&nr_steps));
	return 0;
}
