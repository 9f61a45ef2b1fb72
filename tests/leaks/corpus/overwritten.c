// A loop that forgets the previous block: the last one is kept.
// expect: definite 450/9 indirect 0/0 possible 0/0 reachable 50/1
// top: assign main
// valgrind: same
#include "corpus.h"

void *volatile kept;

NOINLINE void assign(void)
{
	for (int i = 0; i < 10; i++)
		kept = malloc(50);
}

int main(void)
{
	assign();
	scrub_stack();
	return 0;
}
