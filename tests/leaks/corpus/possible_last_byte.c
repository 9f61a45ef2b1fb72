// The only pointer leads to the block's last byte.
// expect: definite 0/0 indirect 0/0 possible 64/1 reachable 0/0
// valgrind: same
#include "corpus.h"

char *kept;

NOINLINE void make(void)
{
	kept = (char *)malloc(64) + 63;
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
