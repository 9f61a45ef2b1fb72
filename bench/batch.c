/*
 * batch.c - many blocks are allocated, then all of them freed, in three orders. A row's time is
 * that of one block, its malloc and its free.
 */
#include "bench.h"
#include "sizes.h"

#define NR_BLOCKS 10000u

enum order {
	IN_ORDER,
	REVERSE,
	SHUFFLED,
};

struct batch {
	void *blocks[NR_BLOCKS];
	uint32_t sizes[NR_BLOCKS], order[NR_BLOCKS]; /* of the frees */
};

static void shuffle(uint32_t *order, struct bench_run *run)
{
	for (uint32_t i = NR_BLOCKS; i > 1; i--) {
		uint32_t other = (uint32_t)(bench_random(run) % i), last = order[i - 1];

		order[i - 1] = order[other];
		order[other] = last;
	}
}

static struct batch *prepare(struct bench_run *run, enum order order, bool is_mixed)
{
	struct batch *batch = bench_map(sizeof(*batch));

	for (uint32_t i = 0; i < NR_BLOCKS; i++) {
		batch->sizes[i] = is_mixed ? 16 + (uint32_t)(bench_random(run) % 1009) : 64;
		batch->order[i] = order == REVERSE ? NR_BLOCKS - 1 - i : i;
	}
	if (order == SHUFFLED)
		shuffle(batch->order, run);
	return batch;
}

/* The loops are the same for every order and size. */
static void fill_and_empty(struct bench_run *run, uint64_t count)
{
	struct batch *batch = run->data;

	for (uint64_t i = 0; i < count; i++) {
		char *block = bench_malloc(batch->sizes[i]);

		*block = 1;
		batch->blocks[i] = block;
	}
	for (uint64_t i = 0; i < count; i++)
		free(batch->blocks[batch->order[i]]);
}

static void give_back(struct bench_run *run)
{
	bench_unmap(run->data, sizeof(struct batch));
}

#define BATCH(name, order, is_mixed) \
	static void *set_up_##name(struct bench_run *run) \
	{ \
		return prepare(run, order, is_mixed); \
	} \
	BENCH(name, "10,000 blocks are allocated, then all freed; for each", \
	      .run = fill_and_empty, .batch = NR_BLOCKS, .set_up = set_up_##name, \
	      .tear_down = give_back)

BATCH(batch_64_in_order, IN_ORDER, false)
BATCH(batch_64_reverse, REVERSE, false)
BATCH(batch_64_shuffled, SHUFFLED, false)
BATCH(batch_mixed_in_order, IN_ORDER, true)
BATCH(batch_mixed_reverse, REVERSE, true)
BATCH(batch_mixed_shuffled, SHUFFLED, true)
