/*
 * stress_realloc.c - buffers that grow: by a few bytes, by steps, by factors, side by side.
 *
 * Each thread grows several buffers in turn (so that none can always be extended in place) up to
 * 48 MiB, shrinks and grows them again. The tags of all that was there are checked at each step;
 * blocks of other sizes come and go in between.
 */
#include "stress.h"

#define THREADS 3
#define BUFFERS 4
#define LIMIT MIB(48)

static double end;
static _Atomic unsigned long nr_resizes;

static size_t next_size(struct rng *rng, unsigned int way, size_t bytes)
{
	switch (way) {
	case 0:
		return bytes + 1 + rng_below(rng, 32);
	case 1:
		return bytes + KIB(64);
	case 2:
		return bytes + bytes / 2 + 1;
	default:
		return bytes * 2;
	}
}

/* Up to the limit of this way to grow; then back to a few bytes, in two steps. */
static void grow_once(struct block *buffer, struct rng *rng, unsigned int way)
{
	static const size_t limits[] = { KIB(16), MIB(4), LIMIT, LIMIT };
	size_t bytes = next_size(rng, way, buffer->bytes);

	if (bytes <= limits[way]) {
		block_resize(buffer, bytes);
		return;
	}
	block_resize(buffer, buffer->bytes / 3);
	block_resize(buffer, 1 + rng_below(rng, 100));
}

static void *grow_run(void *argument)
{
	struct rng rng = { .state = (uint64_t)argument };
	struct block buffers[BUFFERS];
	struct block other = { 0 };
	unsigned long done = 0;

	for (unsigned int i = 0; i < BUFFERS; i++)
		block_new(&buffers[i], 1 + i);
	while (seconds_now() < end) {
		unsigned int way = (unsigned int)rng_below(&rng, BUFFERS);

		for (unsigned int i = 0; i < 8; i++)
			grow_once(&buffers[way], &rng, way);
		done += 8;
		block_free(&other);
		block_new(&other, stress_size(&rng));
	}
	for (unsigned int i = 0; i < BUFFERS; i++)
		block_free(&buffers[i]);
	block_free(&other);
	atomic_fetch_add(&nr_resizes, done);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];

	end = stress_end();
	for (size_t i = 0; i < THREADS; i++)
		thread_start(&threads[i], grow_run, (void *)i);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	expect_nothing_live();
	printf("%lu resizes\n", atomic_load(&nr_resizes));
	return 0;
}
