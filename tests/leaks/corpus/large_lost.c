// Blocks of 1, 5 and 40 MiB.
// expect: definite 48234496/3 indirect 0/0 possible 0/0 reachable 0/0
// top: lose_1 main
// top: lose_5 main
// top: lose_40 main
// valgrind: differs: its heap is at low addresses, where libc's data has numbers that look like
//   pointers into it
// valgrind-says: definite >=1048576/1 indirect 0/0 possible >=0/0 reachable 0/0
#include "corpus.h"

NOINLINE void lose_1(void)
{
	use(malloc(1 << 20));
}

NOINLINE void lose_5(void)
{
	use(malloc(5 << 20));
}

NOINLINE void lose_40(void)
{
	use(malloc(40 << 20));
}

int main(void)
{
	lose_40();
	lose_5();
	lose_1();
	scrub_stack();
	return 0;
}
