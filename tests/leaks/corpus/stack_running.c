// The stack of a thread that runs and calls malloc and free when the process ends.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable >=88/1
// valgrind: same
#include "corpus.h"
#include <sched.h>

NOINLINE void *hold(void *unused)
{
	void *volatile kept = malloc(88);

	sem_post(&parked_thread);
	for (;;) {
		free(malloc(50));
		sched_yield();
	}
	use(kept);
	return unused;
}

int main(void)
{
	start_parked(hold);
	return 0;
}
