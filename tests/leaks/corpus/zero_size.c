// Blocks of no bytes count as blocks.
// expect: definite 0/3 indirect 0/0 possible 0/0 reachable 0/1
// top: lose main
// valgrind: same
#include "corpus.h"

void *kept;

NOINLINE void lose(void)
{
	volatile size_t nothing = 0;

	for (int i = 0; i < 3; i++)
		use(malloc(nothing));
	kept = malloc(nothing);
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
