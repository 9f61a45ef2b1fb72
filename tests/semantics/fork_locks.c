/*
 * fork beside a thread that allocates under the lock of a library whose fork handlers, registered
 * in its constructor, take that lock: the handler must not wait for it while malloc is locked.
 */
#include <pthread.h>
#include <sys/wait.h>

#include "semantics/check.h"
#include "semantics/libraries/fork_locks.h"

#define NR_FORKS 500u
#define NR_BLOCKS 8u
#define BYTES_MIN 300000u /* not from a thread's own stock */

static _Atomic bool stop;

static void *allocates(void *unused)
{
	while (!stop) {
		void *blocks[NR_BLOCKS];

		library_lock();
		for (unsigned int i = 0; i < NR_BLOCKS; i++)
			blocks[i] = malloc(BYTES_MIN + i * 4096);
		for (unsigned int i = 0; i < NR_BLOCKS; i++)
			free(blocks[i]);
		library_unlock();
	}
	return unused;
}

int main(void)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, allocates, NULL), "pthread_create");
	for (unsigned int i = 0; i < NR_FORKS; i++) {
		int status;
		pid_t child;

		alarm(50); /* a deadlock ends here */
		child = fork();
		CHECK(child >= 0, "fork");
		if (!child) {
			library_lock();
			free(malloc(BYTES_MIN));
			library_unlock();
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child && !status, "status %#x",
		      (unsigned int)status);
	}
	stop = true;
	pthread_join(thread, NULL);
	return 0;
}
