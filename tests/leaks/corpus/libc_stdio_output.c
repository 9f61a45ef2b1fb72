// The buffer of stdout is libc's own, whether or not it is counted as reachable.
// expect: definite 64/1 indirect 0/0 possible 0/0 reachable >=0/0
// top: lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	use(malloc(64));
	puts("text");
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
