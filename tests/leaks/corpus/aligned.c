// All the aligned calls.
// expect: definite 1112/4 indirect 0/0 possible 0/0 reachable 0/0
// top: lose_memalign main
// top: lose_posix_memalign main
// top: lose_aligned_alloc main
// top: lose_valloc main
// valgrind: same
#include "corpus.h"
#include <malloc.h>

NOINLINE void lose_memalign(void)
{
	use(memalign(64, 200));
}

NOINLINE void lose_posix_memalign(void)
{
	void *block;

	if (!posix_memalign(&block, 4096, 300))
		use(block);
}

NOINLINE void lose_aligned_alloc(void)
{
	use(aligned_alloc(256, 512));
}

NOINLINE void lose_valloc(void)
{
	use(valloc(100));
}

int main(void)
{
	lose_memalign();
	lose_posix_memalign();
	lose_aligned_alloc();
	lose_valloc();
	scrub_stack();
	return 0;
}
