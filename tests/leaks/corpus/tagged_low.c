// Two bits of a tag in a pointer make it an interior one.
// expect: definite 0/0 indirect 0/0 possible 64/1 reachable 0/0
// top possible: make main
// valgrind: same
#include "corpus.h"

uintptr_t kept;

NOINLINE void make(void)
{
	kept = (uintptr_t)malloc(64) | 3;
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
