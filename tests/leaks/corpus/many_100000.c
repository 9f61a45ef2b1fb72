// Many lost blocks of one stack.
// expect: definite 3200000/100000 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	for (int i = 0; i < 100000; i++)
		use(malloc(32));
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
