// Guards amid a mapping that can be read (MADV_GUARD_INSTALL, Linux 6.13): no map tells of them.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 110/1
// valgrind: same
#include "corpus.h"
#include <string.h>
#include <sys/mman.h>

#define GUARD_INSTALL 102
#define AREA_BYTES ((size_t)1 << 20)
#define PAGE_BYTES ((size_t)4096)

NOINLINE void make(void)
{
	char *area = (char *)mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void **holder = (void **)(area + AREA_BYTES / 2 + 2 * PAGE_BYTES);

	memset(area, 1, AREA_BYTES);
	*holder = malloc(110);
	madvise(area + AREA_BYTES / 2, 2 * PAGE_BYTES, GUARD_INSTALL);
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
