// No debug information, but symbols: functions have names, frames have no lines.
// flags: -g0
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
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
