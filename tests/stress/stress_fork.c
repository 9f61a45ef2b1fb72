/*
 * stress_fork.c - fork while other threads allocate; the child has a heap that works.
 *
 * LOADERS threads allocate and free without a pause; the handlers of fork do so, too. The main
 * thread forks; the child checks the blocks that it inherited, frees and resizes them, allocates,
 * starts a thread, forks once more and exits. A child that hangs is killed by its alarm, which
 * fails the test.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "stress.h"

#ifndef USE_LIBC
#include "init/mm_init.h"
#endif

#define LOADERS 3
#define NR_BLOCKS 512
#define HANG_SECONDS 60 /* no measure of speed: a child needs milliseconds */

static struct block inherited[NR_BLOCKS];
static struct block handler_block;
static _Atomic bool stop;

/* Other libraries' fork handlers call malloc, too. */
static void fork_prepare(void)
{
	block_free(&handler_block);
	block_new(&handler_block, 300);
}

static void fork_done(void)
{
	struct block block;

	block_check(&handler_block);
	block_new(&block, 3000);
	block_free(&block);
}

static _Atomic unsigned int nr_started;

static void *load_run(void *argument)
{
	static struct block all_blocks[LOADERS][256];
	struct block *blocks = all_blocks[(size_t)argument];
	struct rng rng = { .state = (uint64_t)argument };

	atomic_fetch_add(&nr_started, 1);
	while (!atomic_load(&stop)) {
		struct block *block = &blocks[rng_below(&rng, 256)];
		void *pages[16];

		block_free(block);
		block_new(block, stress_size(&rng));
		/* Not tagged: a fork shall find us where the locks are held. */
		for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++)
			pages[i] = stitch_malloc(KIB(8) + rng_below(&rng, MIB(3)));
		for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++)
			stitch_free(pages[i]);
	}
	for (unsigned int i = 0; i < 256; i++)
		block_free(&blocks[i]);
	return NULL;
}

static void churn(struct rng *rng, unsigned int count)
{
	struct block blocks[64] = { 0 };

	for (unsigned int i = 0; i < count; i++) {
		struct block *block = &blocks[rng_below(rng, ARRAY_SIZE(blocks))];

		block_free(block);
		block_new(block, stress_size(rng));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(blocks); i++)
		block_free(&blocks[i]);
}

static void *child_thread_run(void *unused)
{
	struct rng rng = { .state = 2 };

	churn(&rng, 500);
	return unused;
}

static void expect_clean_exit(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid: %s", strerror(errno));
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		die("a child hangs");
	if (status)
		die("a child ended with status %#x", (unsigned int)status);
}

static pid_t fork_or_die(void)
{
	pid_t child = fork();

	if (child < 0)
		die("fork: %s", strerror(errno));
	if (!child)
		alarm(HANG_SECONDS);
	return child;
}

static _Noreturn void child_run(struct rng *rng)
{
	pthread_t thread;
	pid_t grandchild;

	for (unsigned int i = 0; i < NR_BLOCKS; i++) {
		if (i % 3 == 0)
			block_free(&inherited[i]);
		else if (i % 3 == 1)
			block_resize(&inherited[i], stress_size(rng));
		else
			block_check(&inherited[i]);
	}
	churn(rng, 500);
	/* It inherits the slot of one of those that are not here, and then is not here itself. */
	thread_start(&thread, child_thread_run, NULL);
	grandchild = fork_or_die();
	if (!grandchild) {
		churn(rng, 100);
		_exit(0);
	}
	expect_clean_exit(grandchild);
	pthread_join(thread, NULL);
	exit(0); /* with exit handlers */
}

int main(void)
{
	double end = stress_end();
	pthread_t threads[LOADERS];
	struct rng rng = { .state = 1 };
	unsigned long nr_forks = 0;

#ifndef USE_LIBC
	/* What the constructor of the shared library does. */
	pthread_atfork(mm_fork_prepare, mm_fork_parent, mm_fork_child);
#endif
	block_new(&handler_block, 100);
	pthread_atfork(fork_prepare, fork_done, fork_done);
	for (unsigned int i = 0; i < NR_BLOCKS; i++)
		block_new(&inherited[i], stress_size(&rng));
	for (size_t i = 0; i < LOADERS; i++)
		thread_start(&threads[i], load_run, (void *)i);
	/* One that is just starting is in the sanitizers' own malloc, which no fork survives. */
	while (atomic_load(&nr_started) < LOADERS)
		usleep(1000);
	while (seconds_now() < end) {
		struct block *block = &inherited[rng_below(&rng, NR_BLOCKS)];
		pid_t child = fork_or_die();

		if (!child)
			child_run(&rng);
		block_free(block);
		block_new(block, stress_size(&rng));
		expect_clean_exit(child);
		nr_forks++;
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < LOADERS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < NR_BLOCKS; i++)
		block_free(&inherited[i]);
	block_free(&handler_block);
	expect_nothing_live();
	printf("%lu forks under load\n", nr_forks);
	return 0;
}
