// More parts of the heap than are remembered were made unreadable; blocks go on behind them.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 26214510/101
// valgrind: same
#include "corpus.h"
#include <string.h>
#include <sys/mman.h>

#define NR_BLOCKS 100
#define BLOCK_BYTES ((size_t)256 << 10)
#define PAGE_BYTES ((size_t)4096)

static char *blocks[NR_BLOCKS];

NOINLINE void make(void)
{
	for (int i = 0; i < NR_BLOCKS; i++) {
		uintptr_t middle;

		blocks[i] = (char *)malloc(BLOCK_BYTES);
		memset(blocks[i], 1, BLOCK_BYTES);
		middle = ((uintptr_t)blocks[i] + BLOCK_BYTES / 2) & ~(PAGE_BYTES - 1);
		mprotect((void *)middle, PAGE_BYTES, PROT_NONE);
	}
	((void **)blocks[NR_BLOCKS - 1])[BLOCK_BYTES / sizeof(void *) - 1] = malloc(110);
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
