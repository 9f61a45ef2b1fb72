// A stripped program without debug information: addresses only.
// flags: -s -g0
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// valgrind: same
#include "corpus.h"

static NOINLINE void lose(void)
{
	use(malloc(48));
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
