// A shared mapping of a file in memory holds the only pointer.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 110/1
// valgrind: same
#include "corpus.h"
#include <sys/mman.h>

NOINLINE void make(void)
{
	int file = memfd_create("corpus", 0);
	void **area;

	if (ftruncate(file, 1 << 16))
		abort();
	area = (void **)mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	area[100] = malloc(110);
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
