// documented-miss: a tag in the upper 16 bits makes another address of a pointer.
// expect: definite 64/1 indirect 0/0 possible 0/0 reachable 0/0
// top: make main
// valgrind: same
#include "corpus.h"

uintptr_t kept;

NOINLINE void make(void)
{
	kept = (uintptr_t)malloc(64) | (uintptr_t)0x5a5a << 48;
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
