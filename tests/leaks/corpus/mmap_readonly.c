// Memory that was made read-only holds the only pointer, as constants made at start do.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 110/1
// valgrind: differs: it searches only what can be written to
// valgrind-says: definite 110/1 indirect 0/0 possible 0/0 reachable 0/0
#include "corpus.h"
#include <sys/mman.h>

NOINLINE void make(void)
{
	void **area = (void **)mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	area[70000] = malloc(110);
	mprotect(area, 1 << 20, PROT_READ);
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
