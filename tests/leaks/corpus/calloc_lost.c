// expect: definite 160/1 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	use(calloc(10, 16));
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
