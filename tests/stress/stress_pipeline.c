/*
 * stress_pipeline.c - producers and consumers: no block is freed by the thread that made it.
 *
 * Two rings of STAGES threads. Each thread takes batches from its own queue, checks the tags,
 * resizes a few, frees some, makes as many new ones and hands the batch on; so blocks wander
 * through every thread, and every heap lives on what the others give back.
 */
#include "stress.h"

#define STAGES 3
#define RINGS 2
#define BATCH 64
#define BATCHES 24 /* under way in a ring; each stage adds one more when it ends */

struct batch {
	struct batch *next;
	struct block blocks[BATCH];
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct batch *first, **last;
};

static struct queue queues[RINGS][STAGES];
static struct batch batches[RINGS][BATCHES + STAGES];
static _Atomic unsigned long nr_blocks;
static double end;

static void queue_put(struct queue *queue, struct batch *batch)
{
	batch->next = NULL;
	pthread_mutex_lock(&queue->lock);
	*queue->last = batch;
	queue->last = &batch->next;
	pthread_cond_signal(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}

static struct batch *queue_take(struct queue *queue)
{
	struct batch *batch;

	pthread_mutex_lock(&queue->lock);
	while (!queue->first)
		pthread_cond_wait(&queue->filled, &queue->lock);
	batch = queue->first;
	queue->first = batch->next;
	if (!queue->first)
		queue->last = &queue->first;
	pthread_mutex_unlock(&queue->lock);
	return batch;
}

static void batch_work(struct batch *batch, struct rng *rng)
{
	for (unsigned int i = 0; i < BATCH; i++) {
		struct block *block = &batch->blocks[i];

		switch (rng_below(rng, 8)) {
		case 0: /* keep it */
			if (block->address)
				block_check(block);
			break;
		case 1:
			if (block->address)
				block_resize(block, stress_size(rng));
			break;
		default:
			block_free(block);
			block_new(block, stress_size(rng));
		}
	}
}

static void *stage_run(void *argument)
{
	size_t index = (size_t)argument;
	struct queue *ring = queues[index / STAGES];
	size_t stage = index % STAGES;
	struct batch *last = &batches[index / STAGES][BATCHES + stage];
	struct rng rng = { .state = index };
	unsigned long done = 0;

	while (seconds_now() < end) {
		struct batch *batch = queue_take(&ring[stage]);

		batch_work(batch, &rng);
		queue_put(&ring[(stage + 1) % STAGES], batch);
		done += BATCH;
	}
	/* Wake the next one, who may wait for a batch that will not come. */
	queue_put(&ring[(stage + 1) % STAGES], last);
	atomic_fetch_add(&nr_blocks, done);
	return NULL;
}

int main(void)
{
	pthread_t threads[RINGS * STAGES];

	end = stress_end();
	for (unsigned int ring = 0; ring < RINGS; ring++) {
		for (unsigned int stage = 0; stage < STAGES; stage++) {
			struct queue *queue = &queues[ring][stage];

			pthread_mutex_init(&queue->lock, NULL);
			pthread_cond_init(&queue->filled, NULL);
			queue->last = &queue->first;
		}
		for (unsigned int i = 0; i < BATCHES; i++)
			queue_put(&queues[ring][i % STAGES], &batches[ring][i]);
	}
	for (size_t i = 0; i < RINGS * STAGES; i++)
		thread_start(&threads[i], stage_run, (void *)i);
	for (size_t i = 0; i < RINGS * STAGES; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < RINGS * (BATCHES + STAGES); i++)
		for (unsigned int j = 0; j < BATCH; j++)
			block_free(&batches[i % RINGS][i / RINGS].blocks[j]);
	expect_nothing_live();
	printf("%lu blocks went through %d threads\n", atomic_load(&nr_blocks), RINGS * STAGES);
	return 0;
}
