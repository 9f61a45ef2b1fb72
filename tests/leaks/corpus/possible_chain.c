// What only a possibly lost block points to is possibly lost, too.
// expect: definite 0/0 indirect 0/0 possible 96/4 reachable 0/0
// valgrind: same
#include "corpus.h"

long *inside;

NOINLINE void make(void)
{
	inside = &make_list(4)->payload;
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
