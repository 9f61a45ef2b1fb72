// A stream that was not closed: libc has it in its list, and gives it a buffer when it is read.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable >=472/1
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	use(fopen("/dev/null", "r"));
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
