// A cancelled thread cannot free what its frames held.
// Unwinding loads libgcc; what the loader keeps for it may count as reachable.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable >=0/0
// top: work
// valgrind: same
#include "corpus.h"

NOINLINE void *work(void *unused)
{
	void *volatile held = malloc(48);

	sem_post(&parked_thread);
	for (;;)
		pause();
	use(held);
	return unused;
}

int main(void)
{
	pthread_t thread;

	sem_init(&parked_thread, 0, 0);
	if (pthread_create(&thread, NULL, work, NULL))
		return 1;
	sem_wait(&parked_thread);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	scrub_stack();
	return 0;
}
