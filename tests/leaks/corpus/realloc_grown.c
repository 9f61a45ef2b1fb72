// A small block that grew; its last size and stack count.
// expect: definite 1000/1 indirect 0/0 possible 0/0 reachable 0/0
// top: grow main
// valgrind: same
#include "corpus.h"

NOINLINE void *make(void)
{
	return malloc(10);
}

NOINLINE void grow(void)
{
	use(realloc(make(), 1000));
}

int main(void)
{
	grow();
	scrub_stack();
	return 0;
}
