/* threads.c - what a thread costs its allocator: a short life, and a heap that idles. */
#include <pthread.h>

#include "bench.h"
#include "sizes.h"

#define BLOCKS_OF_LIFE 100u
#define NR_IDLE 100u
#define USED_STACK 16384u

static void *live(void *data)
{
	void **blocks = data;
	uint64_t random = 1;

	for (unsigned int i = 0; i < BLOCKS_OF_LIFE; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		blocks[i] = bench_malloc(small_size(random >> 48));
		*(char *)blocks[i] = 1;
	}
	for (unsigned int i = 0; i < BLOCKS_OF_LIFE; i += 2)
		free(blocks[i]);
	return NULL;
}

/* Half of its blocks survive a thread. */
static void start_and_join(struct bench_run *run, uint64_t count)
{
	(void)run;
	while (count--) {
		void *blocks[BLOCKS_OF_LIFE];
		pthread_t thread;

		if (pthread_create(&thread, NULL, live, blocks) || pthread_join(thread, NULL))
			bench_fail("no thread");
		for (unsigned int i = 1; i < BLOCKS_OF_LIFE; i += 2)
			free(blocks[i]);
	}
}

/* --- idle threads ---------------------------------------------------------------------------- */

struct idlers {
	pthread_t threads[NR_IDLE];
	pthread_barrier_t barrier;
};

/* What malloc will use of the stack is resident before, and is not taken for the allocator's. */
static void use_stack(void)
{
	char stack[USED_STACK];

	for (size_t at = 0; at < USED_STACK; at += 1024)
		((volatile char *)stack)[at] = 1;
}

/* Two meetings at each place, so that all stand still while memory is measured. */
static void meet(struct idlers *idlers)
{
	pthread_barrier_wait(&idlers->barrier);
	pthread_barrier_wait(&idlers->barrier);
}

static void *idle(void *data)
{
	char *block;

	use_stack();
	meet(data);
	block = bench_malloc(64);
	*block = 1;
	meet(data);
	free(block);
	return NULL;
}

static uint64_t measure_and_go_on(struct idlers *idlers)
{
	uint64_t kib;

	pthread_barrier_wait(&idlers->barrier);
	kib = bench_resident_kib();
	pthread_barrier_wait(&idlers->barrier);
	return kib;
}

static void let_idle(struct bench_run *run, uint64_t count)
{
	struct idlers *idlers = bench_map(sizeof(*idlers));
	uint64_t before;

	(void)count;
	if (pthread_barrier_init(&idlers->barrier, NULL, NR_IDLE + 1))
		bench_fail("no barrier");
	for (unsigned int i = 0; i < NR_IDLE; i++)
		if (pthread_create(&idlers->threads[i], NULL, idle, idlers))
			bench_fail("no thread");
	before = measure_and_go_on(idlers);
	bench_count(run, "kib_per_thread",
		    (double)(int64_t)(measure_and_go_on(idlers) - before) / NR_IDLE);
	for (unsigned int i = 0; i < NR_IDLE; i++)
		pthread_join(idlers->threads[i], NULL);
	pthread_barrier_destroy(&idlers->barrier);
	bench_unmap(idlers, sizeof(*idlers));
}

/* By their names the idle ones come first, in a process without heaps that others left behind. */
BENCH(idle_threads, "a hundred threads that have allocated once and sleep (kib_per_thread)",
      .run = let_idle, .rounds = 1)
BENCH(thread_lives, "a thread starts, allocates and frees a hundred blocks, and ends",
      .run = start_and_join, .batch = 10)
