// As in stack_reused, but the program's blocks are as large as what an ended thread's variables
// were found by, and the first of them lies at its place, to which the stack still points.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 14000/50
// valgrind: same
#include "corpus.h"

int main(void)
{
	char *stack = stack_of_ended_thread();
	void **pointers = (void **)(void *)(stack + 4096);

	if (!stack)
		return 1;
	for (int i = 0; i < 50; i++)
		pointers[i] = calloc(1, 280);
	return 0;
}
