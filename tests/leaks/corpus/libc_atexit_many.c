// More handlers than libc has room for; the array it makes then is its own.
// expect: definite 2000/100 indirect 0/0 possible 0/0 reachable >=0/0
// top: lose
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	use(malloc(20));
}

int main(void)
{
	for (int i = 0; i < 100; i++)
		atexit(lose);
	return 0;
}
