/*
 * stress_mempool.c - more threads than a pool and its allocator have elements, so that they wait
 * for each other; one resizes the pool meanwhile; the main thread forks, and the child uses what
 * its own copy of the pool has.
 *
 * The owner of an element writes its number into it and finds it there: two owners show. At the
 * end all elements have gone back to the allocator, each once.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/wait.h>

#include "stress.h"

#include "stitch/mempool.h"

#define NR_THREADS 6
#define NR_ELEMENTS 4 /* that the allocator has, for the pool, too */
#define MAX_MIN 3
#define HANG_SECONDS 60

struct element {
	_Atomic bool is_out; /* of the allocator */
	_Atomic uintptr_t owner;
};

static struct element elements[NR_ELEMENTS];
static struct stitch_mempool *pool;
static _Atomic bool stop;
static _Atomic unsigned long nr_rounds;

static void *element_alloc(stitch_gfp_t flags, void *data)
{
	(void)flags;
	(void)data;
	for (unsigned int i = 0; i < NR_ELEMENTS; i++)
		if (!atomic_exchange(&elements[i].is_out, true))
			return &elements[i];
	return NULL;
}

static void element_free(void *address, void *data)
{
	struct element *element = address;

	(void)data;
	if (!atomic_exchange(&element->is_out, false))
		die("an element came back twice");
}

static void use_one(uintptr_t self, stitch_gfp_t flags)
{
	struct element *element = stitch_mempool_alloc(pool, flags);

	if (!element) {
		if (flags & STITCH__GFP_DIRECT_RECLAIM)
			die("who may wait got nothing");
		return;
	}
	if (atomic_exchange(&element->owner, self))
		die("an element has two owners");
	sched_yield();
	if (atomic_exchange(&element->owner, 0) != self)
		die("an element has changed hands");
	stitch_mempool_free(element, pool);
	atomic_fetch_add(&nr_rounds, 1);
}

static void *thread(void *number)
{
	uintptr_t self = (uintptr_t)number;

	while (!stop) {
		use_one(self, STITCH_GFP_KERNEL);
		use_one(self, STITCH_GFP_ATOMIC);
	}
	return NULL;
}

static void *resizer(void *unused)
{
	for (int n = 0; !stop; n++) {
		if (stitch_mempool_resize(pool, 1 + n % MAX_MIN))
			die("resize");
		sched_yield();
	}
	return unused;
}

/*
 * The elements of absent threads never come back, so that it must not wait: what the pool has can
 * be taken, and the pool filled with as many, whatever was going on.
 */
static void child(void)
{
	void *taken[NR_ELEMENTS];
	int nr = 0, nr_back;

	alarm(HANG_SECONDS);
	while (nr < NR_ELEMENTS && (taken[nr] = stitch_mempool_alloc(pool, STITCH_GFP_ATOMIC)))
		nr++;
	if (stitch_mempool_count(pool))
		die("child: the pool has %d elements left", stitch_mempool_count(pool));
	nr_back = nr;
	while (nr)
		stitch_mempool_free(taken[--nr], pool);
	nr = nr_back < stitch_mempool_min(pool) ? nr_back : stitch_mempool_min(pool);
	if (stitch_mempool_count(pool) != nr)
		die("child: %d of %d elements are in the pool", stitch_mempool_count(pool), nr);
	if (stitch_mempool_resize(pool, MAX_MIN))
		die("child: resize");
	_exit(0);
}

static void fork_one(void)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid)
		child();
	if (waitpid(pid, &status, 0) != pid || status)
		die("a child ended with %#x", status);
}

int main(void)
{
	pthread_t threads[NR_THREADS + 1];
	double end = stress_end();
	unsigned int nr_forks = 0;

	pool = stitch_mempool_create(1, element_alloc, element_free, NULL);
	if (!pool)
		die("no pool");
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		thread_start(&threads[i], thread, (void *)(i + 1)); // NOLINT
	thread_start(&threads[NR_THREADS], resizer, NULL);
	for (; seconds_now() < end; nr_forks++)
		fork_one();
	stop = true;
	for (unsigned int i = 0; i < NR_THREADS + 1; i++)
		pthread_join(threads[i], NULL);
	stitch_mempool_destroy(pool);
	for (unsigned int i = 0; i < NR_ELEMENTS; i++)
		if (elements[i].is_out)
			die("element %u never came back", i);
	printf("%lu elements used, %u forks\n", nr_rounds, nr_forks);
	return 0;
}
