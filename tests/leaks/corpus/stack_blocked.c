// The stack of a thread that waits.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 88/1
// valgrind: same
#include "corpus.h"

NOINLINE void *hold(void *unused)
{
	void *volatile kept = malloc(88);

	scrub_stack();
	park();
	use(kept);
	return unused;
}

int main(void)
{
	start_parked(hold);
	return 0;
}
