// Memory that nobody may read does not count.
// expect: definite 110/1 indirect 0/0 possible 0/0 reachable 0/0
// top: make main
// valgrind: same
#include "corpus.h"
#include <sys/mman.h>

NOINLINE void make(void)
{
	void **area = (void **)mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	area[70000] = malloc(110);
	mprotect(area, 1 << 20, PROT_NONE);
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
