// A function's static variable points to the block; another one was zeroed.
// expect: definite 70/1 indirect 0/0 possible 0/0 reachable 60/1
// top: hold main
// valgrind: same
#include "corpus.h"

NOINLINE void hold(int forget)
{
	static void *volatile kept;
	static void *volatile forgotten;

	if (!forget) {
		kept = malloc(60);
		forgotten = malloc(70);
	} else {
		forgotten = NULL;
	}
	use(kept);
	use(forgotten);
}

int main(void)
{
	hold(0);
	hold(1);
	scrub_stack();
	return 0;
}
