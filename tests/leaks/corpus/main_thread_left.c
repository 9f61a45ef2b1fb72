// The main thread left by pthread_exit; the process ends with the other one.
// expect: definite 64/1 indirect 0/0 possible 0/0 reachable >=0/0
// top: work
// valgrind: same
#include "corpus.h"

NOINLINE void *work(void *unused)
{
	usleep(20000);
	use(malloc(64));
	scrub_stack();
	return unused;
}

int main(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, work, NULL))
		return 1;
	scrub_stack();
	pthread_exit(NULL);
}
