// Inlined functions are named.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// top: inner outer lose main
// valgrind: same
#include "corpus.h"

static inline __attribute__((always_inline)) void *inner(void)
{
	return malloc(48);
}

static inline __attribute__((always_inline)) void outer(void)
{
	use(inner());
}

NOINLINE void lose(void)
{
	outer();
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
