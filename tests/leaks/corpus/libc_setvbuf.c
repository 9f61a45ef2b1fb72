// A stream that is not used yet points to the buffer the program gave it.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 2000/1
// valgrind: same
#include "corpus.h"

NOINLINE void give(void)
{
	setvbuf(stdout, (char *)malloc(2000), _IOFBF, 2000);
}

int main(void)
{
	give();
	scrub_stack();
	return 0;
}
