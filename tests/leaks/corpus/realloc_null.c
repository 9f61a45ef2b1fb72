// realloc as malloc, and reallocarray.
// expect: definite 144/2 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	use(realloc(NULL, 64));
	use(reallocarray(NULL, 10, 8));
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
