// Lost before main.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// top: before_main
// valgrind: same
#include "corpus.h"

static __attribute__((constructor)) void before_main(void)
{
	use(malloc(48));
}

int main(void)
{
	scrub_stack();
	return 0;
}
