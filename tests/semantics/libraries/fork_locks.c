/* A library that takes its own lock around fork, as many do. */
#include <pthread.h>

#include "semantics/libraries/fork_locks.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void library_lock(void)
{
	pthread_mutex_lock(&mutex);
}

void library_unlock(void)
{
	pthread_mutex_unlock(&mutex);
}

__attribute__((constructor)) static void library_start(void)
{
	pthread_atfork(library_lock, library_unlock, library_unlock);
}
