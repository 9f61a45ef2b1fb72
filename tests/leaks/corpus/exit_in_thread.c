// Another thread calls exit while main waits for it, a pointer in its frame.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 64/1
// top: leave
// valgrind: same
#include "corpus.h"

NOINLINE void *leave(void *unused)
{
	use(malloc(48));
	scrub_stack();
	usleep(20000);
	exit(0);
	return unused;
}

int main(void)
{
	void *volatile kept = malloc(64);

	run_thread(leave);
	use(kept);
	return 1;
}
