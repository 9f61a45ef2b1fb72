// quick_exit runs only the handlers of at_quick_exit.
// expect: definite 88/2 indirect 0/0 possible 0/0 reachable 16/1
// top: lose main
// top: at_quick
// valgrind: same
#include "corpus.h"

void *kept;

NOINLINE void lose(void)
{
	use(malloc(48));
	kept = malloc(16);
}

NOINLINE void at_quick(void)
{
	use(malloc(40));
}

NOINLINE void never(void)
{
	use(malloc(1000));
}

int main(void)
{
	at_quick_exit(at_quick);
	atexit(never);
	lose();
	scrub_stack();
	quick_exit(0);
}
