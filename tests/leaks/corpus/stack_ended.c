// The stack of a thread that has ended, which glibc keeps for the next one.
// expect: definite 88/1 indirect 0/0 possible 0/0 reachable 0/0
// top: hold
// valgrind: same
#include "corpus.h"

NOINLINE void *hold(void *unused)
{
	void *volatile kept = malloc(88);

	use(kept);
	return unused;
}

int main(void)
{
	run_thread(hold);
	scrub_stack();
	return 0;
}
