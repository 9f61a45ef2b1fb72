// A loss at each level of a recursion: as many stacks.
// expect: definite 320/5 indirect 0/0 possible 0/0 reachable 0/0
// top: down main
// top: down down main
// top: down down down down down main
// valgrind: same
#include "corpus.h"

NOINLINE void down(int levels)
{
	use(malloc(64));
	if (levels)
		down(levels - 1);
	use(&levels);
}

int main(void)
{
	down(4);
	scrub_stack();
	return 0;
}
