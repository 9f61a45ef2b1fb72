// Buffers that libc cut to size with realloc: the path "/" has two bytes.
// expect: definite 4/2 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	use(getcwd(NULL, 0));
	use(getcwd(NULL, 0));
}

int main(void)
{
	if (chdir("/"))
		return 1;
	lose();
	scrub_stack();
	return 0;
}
