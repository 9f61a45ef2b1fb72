// The program's own status is left alone.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
// exit: 42
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	use(malloc(48));
}

int main(void)
{
	lose();
	scrub_stack();
	return 42;
}
