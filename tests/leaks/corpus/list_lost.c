// A list whose head is lost.
// expect: definite 24/1 indirect 96/4 possible 0/0 reachable 0/0
// top: make_node make_list lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	use(make_list(5));
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
