/*
 * stress_cache.c - threads that use the same kmem_caches, hand objects to each other, shrink,
 * make and destroy; a timer's signals interrupt them and do the same; the main thread forks.
 *
 * Every live object holds its own address and number in all of its words; constructed ones keep
 * what the constructor made. At the end every cache can be destroyed: nothing was lost. Objects
 * of absent threads stay alive in a child, which uses the same caches all the same. Every second
 * child is made by _Fork, which runs no handlers: threads may be amid anything then.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "stress.h"

#include "init/mm_init.h"
#include "slab/kmem_cache.h"
#include "stitch/slab.h"

#define NR_THREADS 3
#define NR_CACHES 4
#define NR_HELD 200
#define NR_SHARED 256
#define MAGIC ((uintptr_t)0x6d61676963)
#define HANG_SECONDS 60

static struct stitch_kmem_cache *caches[NR_CACHES];
static const unsigned int sizes[NR_CACHES] = { 24, 312, 1000, 5000 };
/* Objects that whoever takes them frees, by cache. */
static _Atomic(uintptr_t *) shared[NR_CACHES][NR_SHARED];
static _Atomic bool stop;
/* In a child of _Fork: the heap may be closed for good, and then there are no new caches. */
static bool is_raw_child;

static void construct(void *object)
{
	*(uintptr_t *)object = MAGIC;
}

static uintptr_t *object_new(unsigned int c)
{
	uintptr_t *object = stitch_kmem_cache_alloc(caches[c], STITCH_GFP_KERNEL);

	if (!object)
		die("no object of cache %u", c);
	if (*object != MAGIC)
		die("an object of cache %u is not constructed", c);
	for (unsigned int i = 1; i < sizes[c] / sizeof(*object); i++)
		object[i] = (uintptr_t)object + i;
	return object;
}

static void object_free(unsigned int c, uintptr_t *object, bool by_kfree)
{
	if (*object != MAGIC)
		die("the first word of an object of cache %u changed", c);
	for (unsigned int i = 1; i < sizes[c] / sizeof(*object); i++)
		if (object[i] != (uintptr_t)object + i)
			die("word %u of an object of cache %u changed", i, c);
	if (by_kfree)
		stitch_free(object);
	else
		stitch_kmem_cache_free(caches[c], object);
}

static void exchange(unsigned int c, struct rng *rng)
{
	uintptr_t *object = object_new(c);

	object = atomic_exchange(&shared[c][rng_below(rng, NR_SHARED)], object);
	if (object)
		object_free(c, object, rng_below(rng, 4) == 0);
}

static void own_cache(struct rng *rng)
{
	struct stitch_kmem_cache *cache =
		stitch_kmem_cache_create("own", 40 + (unsigned int)rng_below(rng, 3000), 0,
					 STITCH_SLAB_NO_MERGE, NULL);
	void *objects[20];

	if (!cache)
		die("no cache");
	if (stitch_kmem_cache_alloc_bulk(cache, STITCH_GFP_KERNEL, 20, objects) != 20)
		die("no 20 objects");
	stitch_kmem_cache_free_bulk(cache, 20, objects);
	stitch_kmem_cache_destroy(cache);
}

static void churn(struct rng *rng, unsigned int count)
{
	uintptr_t *held[NR_CACHES][NR_HELD] = { 0 };

	for (unsigned int i = 0; i < count; i++) {
		unsigned int c = (unsigned int)rng_below(rng, NR_CACHES);
		uintptr_t **place = &held[c][rng_below(rng, NR_HELD)];

		if (*place)
			object_free(c, *place, rng_below(rng, 4) == 0);
		*place = rng_below(rng, 3) ? object_new(c) : NULL;
		if (rng_below(rng, 4) == 0)
			exchange(c, rng);
		if (rng_below(rng, 2000) == 0)
			stitch_kmem_cache_shrink(caches[c]);
		if (rng_below(rng, 2000) == 0 && !is_raw_child)
			own_cache(rng);
	}
	for (unsigned int c = 0; c < NR_CACHES; c++)
		for (unsigned int i = 0; i < NR_HELD; i++)
			if (held[c][i])
				object_free(c, held[c][i], false);
}

static void handle_signal(int number)
{
	static _Thread_local struct rng rng = { .state = 77 };
	int error = errno;

	(void)number;
	for (unsigned int c = 0; c < NR_CACHES; c++)
		exchange(c, &rng);
	errno = error;
}

static void *run(void *argument)
{
	struct rng rng = { .state = (uintptr_t)argument };

	while (!stop)
		churn(&rng, 2000);
	return NULL;
}

static _Noreturn void child_run(struct rng *rng)
{
	alarm(HANG_SECONDS);
	churn(rng, 2000);
	for (unsigned int c = 0; c < NR_CACHES; c++)
		stitch_kmem_cache_shrink(caches[c]);
	churn(rng, 200);
	_exit(0);
}

static void fork_once(struct rng *rng, bool raw)
{
	pid_t child = raw ? _Fork() : fork();
	int status;

	if (child < 0)
		die("fork: %s", strerror(errno));
	if (!child) {
		is_raw_child = raw;
		child_run(rng);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid: %s", strerror(errno));
	if (status)
		die("a child ended with status %#x", (unsigned int)status);
}

static void make_caches(void)
{
	for (unsigned int c = 0; c < NR_CACHES; c++) {
		caches[c] = stitch_kmem_cache_create("stress", sizes[c], 0, STITCH_SLAB_NO_MERGE,
						     construct);
		if (!caches[c])
			die("no cache %u", c);
	}
}

static void end_caches(void)
{
	for (unsigned int c = 0; c < NR_CACHES; c++)
		for (unsigned int i = 0; i < NR_SHARED; i++)
			if (shared[c][i])
				object_free(c, shared[c][i], false);
	stitch_free(stitch_malloc(100000)); /* what was deferred */
	if (!validate_caches())
		die("invariants of caches do not hold");
	for (unsigned int c = 0; c < NR_CACHES; c++)
		stitch_kmem_cache_destroy(caches[c]);
	if (kmem_caches.nr_live)
		die("%u caches are left: objects were lost", kmem_caches.nr_live);
}

int main(void)
{
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
	double end = stress_end();
	pthread_t threads[NR_THREADS];
	struct rng rng = { .state = 1 };
	unsigned long nr_forks = 0;

	pthread_atfork(mm_fork_prepare, mm_fork_parent, mm_fork_child);
	make_caches();
	if (!SANITIZED) {
		sigaction(SIGVTALRM, &(struct sigaction){ .sa_handler = handle_signal,
							  .sa_flags = SA_RESTART }, NULL);
		setitimer(ITIMER_VIRTUAL, &often, NULL);
	}
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		thread_start(&threads[i], run, (void *)(i + 2));
	while (seconds_now() < end) {
		if (SANITIZED)
			churn(&rng, 2000);
		else
			fork_once(&rng, nr_forks % 2);
		nr_forks++;
	}
	stop = true;
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	setitimer(ITIMER_VIRTUAL, &never, NULL);
	end_caches();
	printf("%lu rounds\n", nr_forks);
	return 0;
}
