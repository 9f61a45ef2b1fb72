// Two stacks, one of them three times.
// expect: definite 112/4 indirect 0/0 possible 0/0 reachable 0/0
// top: lose_one main
// top: lose_three main
// valgrind: same
#include "corpus.h"

NOINLINE void lose_one(void)
{
	use(malloc(40));
}

NOINLINE void lose_three(void)
{
	for (int i = 0; i < 3; i++)
		use(malloc(24));
}

int main(void)
{
	lose_one();
	lose_three();
	scrub_stack();
	return 0;
}
