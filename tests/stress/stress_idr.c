/*
 * stress_idr.c - nodes put aside without a lock, by several threads, beside ids that are taken and
 * given back under one: the way of 2004, which begins anew when another has been faster.
 *
 * Each id belongs to one thread: its slot says so. At the end no id and no node is left.
 */
#include <stdbool.h>
#include <stdint.h>

#include "stress.h"

#include "stitch/idr.h"

#define NR_THREADS 4
#define NR_IDS 200 /* of a thread at a time, at most */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static STITCH_DEFINE_IDR(ids);
static _Atomic unsigned long nr_taken, nr_again;
static double end;

/* The thread's own place for an id, which the id leads to. */
struct owner {
	int id;
};

/* Anywhere, so that most ids need some nodes. */
static void take(struct rng *rng, struct owner *owner)
{
	int start = (int)rng_below(rng, INT_MAX - NR_THREADS * NR_IDS);
	int error;

	for (;;) {
		if (!stitch_idr_pre_get(&ids, STITCH_GFP_KERNEL))
			die("no memory");
		pthread_mutex_lock(&lock);
		error = stitch_idr_get_new_above(&ids, owner, start, &owner->id);
		pthread_mutex_unlock(&lock);
		if (!error)
			break;
		if (error != -EAGAIN)
			die("idr_get_new_above: %d", error);
		nr_again++;
	}
	nr_taken++;
}

static void give(struct owner *owner)
{
	void *found;

	pthread_mutex_lock(&lock);
	found = stitch_idr_remove(&ids, (unsigned long)owner->id);
	pthread_mutex_unlock(&lock);
	if (found != owner)
		die("id %d led to another's", owner->id);
}

static void *run(void *seed)
{
	static _Thread_local struct owner owners[NR_IDS];
	struct rng rng = { .state = (uintptr_t)seed };

	while (seconds_now() < end) {
		size_t nr = rng_below(&rng, NR_IDS);

		for (size_t i = 0; i < nr; i++)
			take(&rng, &owners[i]);
		for (size_t i = 0; i < nr; i++)
			give(&owners[i]);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[NR_THREADS];

	end = stress_end();
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		thread_start(&threads[i], run, (void *)(i + 1));
	while (seconds_now() < end) {
		pthread_mutex_lock(&lock);
		if (!stitch_idr_validate(&ids))
			die("the tree is not whole");
		pthread_mutex_unlock(&lock);
		usleep(1000);
	}
	for (size_t i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	if (!stitch_idr_is_empty(&ids))
		die("an id is left");
	if (ids.nr_spare > NR_THREADS * STITCH_IDR_SPARE)
		die("%u nodes are put aside", ids.nr_spare);
	stitch_idr_destroy(&ids);
	expect_nothing_live();
	printf("%lu ids taken, %lu times another was faster\n", nr_taken, nr_again);
	return 0;
}
