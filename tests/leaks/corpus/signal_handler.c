// Lost in a signal handler, and overwritten by one.
// expect: definite 90/2 indirect 0/0 possible 0/0 reachable 0/0
// top: handle main
// top: keep main
// valgrind: same
#include "corpus.h"

void *volatile kept;

NOINLINE void handle(int number)
{
	(void)number;
	use(malloc(40));
	kept = NULL;
}

NOINLINE void keep(void)
{
	kept = malloc(50);
}

int main(void)
{
	keep();
	signal(SIGUSR1, handle);
	raise(SIGUSR1);
	scrub_stack();
	return 0;
}
