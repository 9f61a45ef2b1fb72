// documented-miss: references are distances from a base block, in 32 bits.
// expect: definite 64/1 indirect 0/0 possible 0/0 reachable 128/1
// top: make main
// valgrind: same
#include "corpus.h"

char *base;
uint32_t kept;

NOINLINE void make(void)
{
	base = (char *)malloc(128);
	kept = (uint32_t)(((char *)malloc(64) - base) >> 4);
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
