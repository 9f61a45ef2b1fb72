// A detached thread loses a block and ends.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// top: work
// valgrind: same
#include "corpus.h"

static volatile int thread_id;

NOINLINE void *work(void *unused)
{
	use(malloc(48));
	thread_id = gettid();
	return unused;
}

int main(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, work, NULL) || pthread_detach(thread))
		return 1;
	/* The kernel has forgotten it when it is gone. */
	while (!thread_id || !tgkill(getpid(), thread_id, 0))
		usleep(1000);
	scrub_stack();
	return 0;
}
