/*
 * fork.c - fork, with what allocators do before and after it, until the child has ended. What the
 * child and its parent write after it is copied by the kernel, page by page.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "chain.h"
#include "sizes.h"

#define NR_STORM 100u
#define CHILD_BLOCKS 100u
#define STORM_BLOCKS 1000u

/* In the child: no exit handlers, and the parent hears of a failure. */
__attribute__((noreturn)) static void allocate_and_exit(unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		char *block = bench_keep(malloc(16 + i % 64 * 16));

		if (!block)
			_exit(1);
		*block = 1;
		if (nr == STORM_BLOCKS)
			free(block);
	}
	_exit(0);
}

static void fork_once(unsigned int nr_blocks)
{
	pid_t child = fork();
	int status;

	if (!child)
		allocate_and_exit(nr_blocks);
	if (child < 0 || waitpid(child, &status, 0) != child)
		bench_fail("no child");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		bench_fail("a child has failed");
}

/* The argument is MiB, written in full. */
static void *build_heap(struct bench_run *run)
{
	uint64_t left = (uint64_t)run->argument << 20;
	struct block *first = NULL;

	while (left) {
		size_t size = mixed_size(bench_random(run));

		first = chain_add(first, size);
		left -= size < left ? size : left;
	}
	return first;
}

static void free_heap(struct bench_run *run)
{
	chain_free(run->data);
}

static void fork_large(struct bench_run *run, uint64_t count)
{
	(void)run;
	while (count--)
		fork_once(CHILD_BLOCKS);
}

static void fork_storm(struct bench_run *run, uint64_t count)
{
	(void)run;
	while (count--)
		for (unsigned int i = 0; i < NR_STORM; i++)
			fork_once(STORM_BLOCKS);
}

BENCH(fork_large_heap, "fork with so many MiB of heap, until its child has ended",
      .run = fork_large, .from = 16, .to = 256, .times = 16, .set_up = build_heap,
      .tear_down = free_heap)
BENCH(fork_hundred_times, "a hundred forks, one after the other, of children that malloc and free",
      .run = fork_storm)
