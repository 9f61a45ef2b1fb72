// Static functions have names in debug information and .symtab only.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// top: lose caller main
// valgrind: same
#include "corpus.h"

static NOINLINE void lose(void)
{
	use(malloc(48));
}

static NOINLINE void caller(void)
{
	lose();
	use(NULL);
}

int main(void)
{
	caller();
	scrub_stack();
	return 0;
}
