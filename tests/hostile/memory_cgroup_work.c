/*
 * memory_cgroup_work.c - fit: phases of 30 MiB each in other sizes, trimmed in between, which stay
 * within a limit of 64 MiB only if what was freed is given back. burst: 200 MiB at once, for which
 * the kernel kills. cache: 75 MiB that nobody needs, a little at a time, with a shrinker, which
 * the background thread is to call before the limit is met; "cache without" has none.
 */
#include <pthread.h>
#include <time.h>

#include "kernel_api.h"
#include "semantics/check.h"

#define MIB ((size_t)1 << 20)
#define PHASE (30 * MIB)

static void phase(size_t bytes, size_t total)
{
	void **last = NULL, **block;

	for (size_t done = 0; done < total; done += bytes) {
		block = malloc(bytes);
		CHECK(block, "malloc(%zu)", bytes);
		memset(block, 0x5a, bytes);
		*block = last;
		last = block;
	}
	while (last) {
		block = *last;
		free(last);
		last = block;
	}
}

/* --- a cache ---------------------------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	void *blocks[100];
	_Atomic unsigned int nr_blocks, nr_freed;
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

static unsigned long count(struct stitch_shrinker *shrinker, struct stitch_shrink_control *control)
{
	(void)shrinker;
	(void)control;
	return cache.nr_blocks;
}

static unsigned long scan(struct stitch_shrinker *shrinker, struct stitch_shrink_control *control)
{
	unsigned long nr = 0;

	(void)shrinker;
	if (pthread_mutex_trylock(&cache.lock))
		return STITCH_SHRINK_STOP;
	for (; cache.nr_blocks && nr < control->nr_to_scan; nr++)
		free(cache.blocks[--cache.nr_blocks]);
	cache.nr_freed += (unsigned int)nr;
	pthread_mutex_unlock(&cache.lock);
	return nr;
}

static void add_block(void)
{
	void *block = malloc(MIB);

	CHECK(block, "malloc");
	memset(block, 1, MIB);
	pthread_mutex_lock(&cache.lock);
	cache.blocks[cache.nr_blocks++] = block;
	pthread_mutex_unlock(&cache.lock);
}

/* Slowly where the limit is near: the thread looks once a second. */
static void fill_cache(bool with_shrinker)
{
	static struct stitch_shrinker shrinker = { .count_objects = count, .scan_objects = scan,
						   .batch = 4, .seeks = STITCH_DEFAULT_SEEKS };
	struct timespec pause = { .tv_nsec = 200000000 };

	CHECK(!with_shrinker || !stitch_register_shrinker(&shrinker), "register");
	for (unsigned int i = 0; i < 75; i++) {
		add_block();
		if (i >= 50)
			nanosleep(&pause, NULL);
	}
	CHECK(cache.nr_freed >= 10 && cache.nr_blocks >= 20, "%u freed, %u kept", cache.nr_freed,
	      cache.nr_blocks);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 100, 8 * MIB, 50000, 2000, 1 * MIB, 24, 3 * MIB, 7000 };

	if (argc > 1 && !strcmp(argv[1], "burst")) {
		phase(MIB, 200 * MIB);
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "cache")) {
		fill_cache(argc == 2);
		return 0;
	}
	for (unsigned int i = 0; i < 3 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		phase(sizes[i % (sizeof(sizes) / sizeof(sizes[0]))], PHASE);
		malloc_trim(0);
	}
	return 0;
}
