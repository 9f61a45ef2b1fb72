// Pointers far into large blocks.
// expect: definite 0/0 indirect 0/0 possible 48234496/3 reachable 0/0
// top possible: make main
// valgrind: same
#include "corpus.h"

char *kept[3];

NOINLINE void make(void)
{
	kept[0] = (char *)malloc(1 << 20) + (1 << 19) + 1;
	kept[1] = (char *)malloc(5 << 20) + (5 << 20) - 1;
	kept[2] = (char *)malloc(40 << 20) + (33 << 20);
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
