// A program at a fixed address.
// flags: -no-pie -fno-pie
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 30/1
// top: lose main
// valgrind: same
#include "corpus.h"

void *kept;

NOINLINE void lose(void)
{
	kept = malloc(30);
	use(malloc(48));
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
