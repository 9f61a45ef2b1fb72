// A block that shrank.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// top: shrink main
// valgrind: same
#include "corpus.h"

NOINLINE void shrink(void)
{
	use(realloc(malloc(1000), 48));
}

int main(void)
{
	shrink();
	scrub_stack();
	return 0;
}
