// _exit runs no handlers.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
// exit: 3
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	use(malloc(48));
}

NOINLINE void never(void)
{
	use(malloc(1000));
}

int main(void)
{
	atexit(never);
	lose();
	scrub_stack();
	_exit(3);
}
