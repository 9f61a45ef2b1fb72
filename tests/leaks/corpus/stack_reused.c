// A stack that the program has provided, with a guard as libc makes them, is put to another use
// when its thread has ended.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 1600/50
// valgrind: same
#include "corpus.h"

int main(void)
{
	char *stack = stack_of_ended_thread();
	void **pointers = (void **)(void *)(stack + 4096);

	if (!stack)
		return 1;
	for (int i = 0; i < 50; i++)
		pointers[i] = malloc(32);
	return 0;
}
