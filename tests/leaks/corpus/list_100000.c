// A list too long for a recursive search.
// expect: definite 24/1 indirect 2399976/99999 possible 0/0 reachable 0/0
// top: make_node make_list lose
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	use(make_list(100000));
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
