/*
 * stress_burst.c - bursts and idleness: what a burst took comes back when malloc_trim asks for it.
 *
 * Threads fill BURST bytes with blocks of all sizes, free them (half of them each other's) in
 * random order and wait. malloc_trim then leaves at most SLACK resident beyond what was there
 * before the first burst: the caches of idle threads, which nobody else may touch, the slabs that
 * they pin, and the page descriptors of the opened heap. With another malloc (-DUSE_LIBC) the
 * figures are printed and not judged.
 */
#include "stress.h"

#define THREADS 4
#define BURST MIB(192)
#define MAX_BLOCKS 200000
#define SLACK MIB(32)

static struct block blocks[THREADS][MAX_BLOCKS];
static unsigned int nr_blocks[THREADS];
static pthread_barrier_t turn;
static _Atomic bool stop;

static void burst_fill(size_t index, struct rng *rng)
{
	size_t bytes = 0;
	unsigned int count = 0;
	unsigned int shift = 4 + (unsigned int)rng_below(rng, 14);

	while (bytes < BURST / THREADS && count < MAX_BLOCKS) {
		size_t wanted = 1 + rng_below(rng, (size_t)1 << shift);

		if (count % 64 == 0)
			shift = 4 + (unsigned int)rng_below(rng, 17);
		block_new(&blocks[index][count++], wanted);
		bytes += wanted;
	}
	nr_blocks[index] = count;
}

static void burst_free(size_t index, struct rng *rng)
{
	struct block *mine = blocks[index];
	unsigned int count = nr_blocks[index];

	for (unsigned int i = count; i > 1; i--) { /* Fisher and Yates */
		size_t other = rng_below(rng, i);
		struct block block = mine[i - 1];

		mine[i - 1] = mine[other];
		mine[other] = block;
	}
	for (unsigned int i = 0; i < count; i++)
		block_free(&mine[i]);
}

static void *burst_run(void *argument)
{
	size_t index = (size_t)argument;
	struct rng rng = { .state = index };

	for (size_t pass = 0;; pass++) {
		pthread_barrier_wait(&turn);
		if (atomic_load(&stop))
			return NULL;
		burst_fill(index, &rng);
		pthread_barrier_wait(&turn);
		burst_free((index + pass) % THREADS, &rng);
		pthread_barrier_wait(&turn); /* idle from here to the next pass */
	}
}

int main(void)
{
	double end = stress_end();
	pthread_t threads[THREADS];
	size_t before, burst, after, worst = 0;
	unsigned int nr_passes = 0;

	memset(blocks, 1, sizeof(blocks)); /* resident from the beginning */
	pthread_barrier_init(&turn, NULL, THREADS + 1);
	for (size_t i = 0; i < THREADS; i++)
		thread_start(&threads[i], burst_run, (void *)i);
	before = resident_bytes();
	do {
		pthread_barrier_wait(&turn);
		pthread_barrier_wait(&turn);
		burst = resident_bytes();
		pthread_barrier_wait(&turn);
		stitch_malloc_trim(0);
		after = resident_bytes();
		if (after > before && after - before > worst)
			worst = after - before;
		nr_passes++;
	} while (seconds_now() < end);
	atomic_store(&stop, true);
	pthread_barrier_wait(&turn);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	expect_nothing_live();
	printf("%u bursts, %zu MiB resident; at most %zu KiB more than before were left\n",
	       nr_passes, burst >> 20, worst >> 10);
	if (worst > SLACK && !USES_LIBC && !SANITIZED)
		die("malloc_trim left %zu KiB of a burst, at most %zu", worst >> 10, SLACK >> 10);
	return 0;
}
