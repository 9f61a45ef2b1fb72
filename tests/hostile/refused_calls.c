/*
 * System calls that are refused from some moment on, each with each error, while threads allocate:
 * every answer is memory or NULL and ENOMEM, no block is damaged, free never fails and keeps
 * errno, and what was freed serves again without the kernel.
 */
#include <pthread.h>
#include <sys/wait.h>

#include "hostile/load.h"
#include "hostile/refusal.h"

#define NR_THREADS 3u
#define NR_OPS 400u
#define MAX_SIZE ((size_t)6 << 20)

static pthread_barrier_t refused;

static void *work(void *number)
{
	static struct load loads[NR_THREADS];
	struct load *load = &loads[(uintptr_t)number];

	load_init(load, (uintptr_t)number + 1, MAX_SIZE);
	load_work(load, NR_OPS);
	pthread_barrier_wait(&refused); /* all are at work */
	pthread_barrier_wait(&refused); /* the filter is in force */
	load_work(load, NR_OPS);
	load_end(load);
	return NULL;
}

static void *nothing(void *unused)
{
	free(malloc(100));
	return unused;
}

/* A thread is refused softly when there is no memory for its stack. */
static void start_a_thread(void)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, nothing, NULL))
		pthread_join(thread, NULL);
}

/* All that was opened is free: a little of every kind must be had without the kernel. */
static void again_without_the_kernel(void)
{
	static const size_t sizes[] = { 1, 100, 1000, 8000, 20000, 100000, 1000000 };
	void *blocks[sizeof(sizes) / sizeof(sizes[0])];

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		blocks[i] = malloc(sizes[i]);
		CHECK(blocks[i] || !on_stitchmalloc(), "malloc(%zu) after all was freed", sizes[i]);
	}
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		free(blocks[i]);
}

static void run_refused(unsigned int calls, int error)
{
	pthread_t threads[NR_THREADS];

	pthread_barrier_init(&refused, NULL, NR_THREADS + 1);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, work, (void *)i), "pthread_create");
	pthread_barrier_wait(&refused);
	CHECK(refuse_calls(calls, error), "seccomp: errno %d", errno);
	pthread_barrier_wait(&refused);
	start_a_thread();
	malloc_trim(0);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	load_end_exchange();
	errno = LOAD_ERRNO;
	malloc_trim(0);
	CHECK(errno == LOAD_ERRNO || !on_stitchmalloc(), "malloc_trim set errno to %d", errno);
	again_without_the_kernel();
}

static void in_a_child(unsigned int calls, const char *name, const struct refusal_name *error)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0, "fork");
	if (!child) {
		run_refused(calls, (int)error->value);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child, "waitpid");
	CHECK(!status, "with %s refused by %s: status %#x", name, error->name,
	      (unsigned int)status);
}

int main(void)
{
	for (unsigned int e = 0; e < NR_REFUSAL_ERRORS; e++) {
		for (unsigned int i = 0; i < NR_REFUSABLE; i++)
			in_a_child(1u << i, refusable_calls[i].name, &refusal_errors[e]);
		in_a_child((1u << NR_REFUSABLE) - 1, "all", &refusal_errors[e]);
	}
	return 0;
}
