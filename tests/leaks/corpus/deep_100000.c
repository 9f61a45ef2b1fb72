// A stack 100,000 deep.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// top: bottom down down down down
// valgrind: same
#include "corpus.h"

NOINLINE void bottom(void)
{
	use(malloc(48));
}

NOINLINE void down(int levels)
{
	if (levels)
		down(levels - 1);
	else
		bottom();
	use(&levels);
}

int main(void)
{
	down(100000 - 2);
	return 0;
}
