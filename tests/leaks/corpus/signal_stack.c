// The handlers' stack is the program's, and nothing but the kernel knows where it is.
// expect: definite 65536/1 indirect 0/0 possible 0/0 reachable 0/0
// top: give main
// valgrind: same
#include "corpus.h"

NOINLINE void give(void)
{
	stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};

	if (sigaltstack(&stack, NULL))
		abort();
}

int main(void)
{
	give();
	scrub_stack();
	return 0;
}
