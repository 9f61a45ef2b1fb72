// The block moved, and what is kept is its old address.
// expect: definite 5242880/1 indirect 0/0 possible 0/0 reachable 0/0
// top: grow main
// valgrind: same
#include "corpus.h"

void *stale;

NOINLINE void grow(void)
{
	void *block = malloc(100);

	stale = block;
	use(realloc(block, 5 << 20));
}

int main(void)
{
	grow();
	scrub_stack();
	return 0;
}
