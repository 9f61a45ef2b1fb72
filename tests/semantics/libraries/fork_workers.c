/*
 * A library with a worker thread, as those of linear algebra have: before a fork its handler ends
 * the worker and joins it, afterwards the handlers of both sides start another.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "semantics/libraries/fork_workers.h"

static pthread_t worker;
static bool runs, quit;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void await(bool *flag)
{
	pthread_mutex_lock(&mutex);
	while (!*flag)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

static void set(bool *flag)
{
	pthread_mutex_lock(&mutex);
	*flag = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

/* Its first and its last act is to allocate: of each kind, from no stock. */
static void *worker_run(void *unused)
{
	void *small = malloc(100), *large = malloc(300000);

	set(&runs);
	await(&quit);
	free(small);
	free(large);
	free(malloc(3000000));
	return unused;
}

void worker_start(void)
{
	runs = quit = false;
	if (pthread_create(&worker, NULL, worker_run, NULL))
		abort();
	await(&runs);
}

void worker_stop(void)
{
	set(&quit);
	pthread_join(worker, NULL);
}

__attribute__((constructor)) static void library_start(void)
{
	worker_start();
	pthread_atfork(worker_stop, worker_start, worker_start);
}
