// documented-miss: the pointer is kept inverted.
// expect: definite 64/1 indirect 0/0 possible 0/0 reachable 0/0
// top: make main
// valgrind: same
#include "corpus.h"

uintptr_t kept;

NOINLINE void make(void)
{
	kept = ~(uintptr_t)malloc(64);
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
