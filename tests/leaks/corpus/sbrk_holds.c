// Memory the program took by sbrk holds the only pointer.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 110/1
// valgrind: same
#include "corpus.h"

NOINLINE void make(void)
{
	void **area = (void **)(((uintptr_t)sbrk(8192) + 4095) & ~(uintptr_t)4095);

	area[5] = malloc(110);
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
