// Four threads lose a block each at one place.
// expect: definite 192/4 indirect 0/0 possible 0/0 reachable 0/0
// top: lose work
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	use(malloc(48));
}

NOINLINE void *work(void *unused)
{
	lose();
	return unused;
}

int main(void)
{
	for (int i = 0; i < 4; i++)
		run_thread(work);
	scrub_stack();
	return 0;
}
