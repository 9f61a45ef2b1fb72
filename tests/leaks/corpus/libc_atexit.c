// Handlers at exit: what they free is no leak, what they lose is one.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// top: lose
// valgrind: same
#include "corpus.h"

void *freed;

NOINLINE void lose(void)
{
	use(malloc(48));
}

NOINLINE void clean(void)
{
	free(freed);
}

int main(void)
{
	atexit(clean);
	atexit(lose);
	freed = malloc(100);
	return 0;
}
