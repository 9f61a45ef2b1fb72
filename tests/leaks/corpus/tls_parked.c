// A variable of a thread that is there at the end.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 56/1
// valgrind: same
#include "corpus.h"

static __thread void *volatile kept;

NOINLINE void make(void)
{
	kept = malloc(56);
}

NOINLINE void *hold(void *unused)
{
	make();
	scrub_stack();
	park();
	return unused;
}

int main(void)
{
	start_parked(hold);
	return 0;
}
