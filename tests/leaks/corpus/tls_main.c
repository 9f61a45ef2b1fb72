// A variable of the main thread's.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 56/1
// valgrind: same
#include "corpus.h"

static __thread void *volatile kept;

NOINLINE void make(void)
{
	kept = malloc(56);
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
