// The same function by two tables of functions: two stacks.
// expect: definite 96/2 indirect 0/0 possible 0/0 reachable 0/0
// top: lose call_first main
// top: lose call_second main
// valgrind: same
#include "corpus.h"

static NOINLINE void lose(void)
{
	use(malloc(48));
}

void (*volatile first)(void) = lose, (*volatile second)(void) = lose;

NOINLINE void call_first(void)
{
	first();
	use(NULL);
}

NOINLINE void call_second(void)
{
	second();
	use(NULL);
}

int main(void)
{
	call_first();
	call_second();
	scrub_stack();
	return 0;
}
