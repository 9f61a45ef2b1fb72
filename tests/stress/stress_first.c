/*
 * stress_first.c - threads that race through the first call of all, before the heap is up.
 *
 * The library under the prefix has no constructor, so that the first call boots it. In every round
 * a new process starts threads which wait for each other before they call; each then finds a
 * heap, the same one, and a slot of its own. In every other round some of the first calls are
 * no allocations.
 */
#include <sys/wait.h>

#include "stress.h"

#define NR_THREADS 4
#define NR_BLOCKS 64

static _Atomic unsigned int nr_waiting;
static struct block blocks[NR_THREADS][NR_BLOCKS];
static unsigned int nr_rounds;

/* No futex: whoever is woken last would come late to the race. */
static void meet(void)
{
	atomic_fetch_add(&nr_waiting, 1);
	while (atomic_load(&nr_waiting) < NR_THREADS)
		;
}

static void *race(void *argument)
{
	size_t me = (size_t)argument;

	meet();
	if (nr_rounds % 2 && me % 2) {
		stitch_free(NULL);
		stitch_malloc_trim(0);
	}
	for (size_t i = 0; i < NR_BLOCKS; i++)
		block_new(&blocks[me][i], 16 + i * i * (me + 1) * 8);
	return NULL;
}

static _Noreturn void one_round(void)
{
	pthread_t threads[NR_THREADS];

	for (size_t i = 0; i < NR_THREADS; i++)
		thread_start(&threads[i], race, (void *)i);
	for (size_t i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (size_t me = 0; me < NR_THREADS; me++)
		for (size_t i = 0; i < NR_BLOCKS; i++)
			block_free(&blocks[me][i]);
	expect_nothing_live();
	_exit(0);
}

int main(void)
{
	double end = stress_end();

	do {
		int status;
		pid_t child = fork();

		if (child < 0)
			die("fork");
		if (!child)
			one_round();
		if (waitpid(child, &status, 0) != child || status)
			die("round %u ended with %#x", nr_rounds, (unsigned int)status);
		nr_rounds++;
	} while (seconds_now() < end);
	printf("%u races\n", nr_rounds);
	return 0;
}
