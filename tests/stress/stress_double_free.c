/*
 * stress_double_free.c - threads free one page run at once: exactly one of them succeeds.
 *
 * THREADS threads meet, free, and meet again. The even ones take the run into a stock of their own,
 * the odd ones have none and give it to the zone. Before they meet they turn round an empty loop
 * of changing length, so that every order of steps occurs.
 */
#include "../fuzz/validators.h"
#include "stress.h"

#ifdef USE_LIBC
#error "this is about the functions below malloc"
#endif

#include <sched.h>

#include "mm/pagerun.h"
#include "mm/pcp.h"

#define THREADS 3
#define ROUNDS_A_CHECK 1000

static struct page *run;
static _Atomic unsigned int nr_freed, nr_here;
static _Atomic unsigned long turn;
static _Atomic bool stop;

/* All threads and main: those who arrive spin, since a sleeper would come too late. */
static void meet(void)
{
	unsigned long now = atomic_load(&turn);

	if (atomic_fetch_add(&nr_here, 1) == THREADS) {
		atomic_store(&nr_here, 0);
		atomic_store(&turn, now + 1);
	}
	for (unsigned int spin = 0; atomic_load(&turn) == now; spin++)
		if (spin % 1000 == 999)
			sched_yield();
}

static bool free_as(size_t index, struct pcp *pcp)
{
	return index % 2 ? run_free(run) : pcp_run_free(pcp, run);
}

static void *free_run(void *argument)
{
	size_t index = (size_t)argument;
	struct rng rng = { .state = index };
	struct pcp pcp = { 0 };

	pcp_init(&pcp, 0, 0);
	for (meet(); !atomic_load(&stop); meet()) {
		for (size_t spin = rng_below(&rng, 60); spin; spin--)
			__asm__ volatile("");
		if (free_as(index, &pcp))
			atomic_fetch_add(&nr_freed, 1);
		meet();
		pcp_drain_runs(&pcp);
		meet();
	}
	return NULL;
}

static void one_round(void)
{
	run = run_alloc(5, 1);
	if (!run)
		die("no memory for a run");
	atomic_store(&nr_freed, 0);
	meet();
	meet();
	if (atomic_load(&nr_freed) != 1)
		die("%u threads have freed one run", atomic_load(&nr_freed));
	meet();
}

int main(void)
{
	double end = stress_end();
	pthread_t threads[THREADS];
	unsigned long nr_rounds = 0;

	stitch_free(stitch_malloc(1)); /* the heap is up */
	for (size_t i = 0; i < THREADS; i++)
		thread_start(&threads[i], free_run, (void *)i);
	while (seconds_now() < end) {
		for (unsigned int i = 0; i < ROUNDS_A_CHECK; i++)
			one_round();
		nr_rounds += ROUNDS_A_CHECK;
		if (!validate_zone())
			die("the validators of the heap found it broken");
	}
	atomic_store(&stop, true);
	meet();
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (!heap_is_valid())
		die("the validators of the heap found it broken");
	printf("%lu rounds\n", nr_rounds);
	return 0;
}
