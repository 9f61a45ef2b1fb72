// The only pointer leads into the middle of the block.
// expect: definite 0/0 indirect 0/0 possible 200/1 reachable 0/0
// top possible: make main
// valgrind: same
#include "corpus.h"

char *kept;

NOINLINE void make(void)
{
	kept = (char *)malloc(200) + 64;
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
