// The mapping that holds the pointer was moved and grew.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 110/1
// valgrind: same
#include "corpus.h"
#include <sys/mman.h>

NOINLINE void make(void)
{
	void **area = (void **)mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	area[7] = malloc(110);
	if (mremap(area, 1 << 16, 4 << 20, MREMAP_MAYMOVE) == MAP_FAILED)
		abort();
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
