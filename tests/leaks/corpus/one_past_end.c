// A pointer to one past the end is not a pointer to the block: it may be the next block's.
// 64 is a size class, so that the end is the block's also where only usable sizes are known.
// expect: definite 64/1 indirect 0/0 possible 0/0 reachable 0/0
// top: make main
// valgrind: same
#include "corpus.h"

char *kept;

NOINLINE void make(void)
{
	kept = (char *)malloc(64) + 64;
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
