// As in stack_reused, but the program's blocks are as large as what an ended thread's variables
// were found by, and the first of them lies at its place, to which the stack still points.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 14000/50
// valgrind: same
#include "corpus.h"
#include <sys/mman.h>

NOINLINE void *work(void *unused)
{
	return unused;
}

int main(void)
{
	char *memory = mmap(NULL, 4096 + 262144, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void **pointers = (void **)(void *)(memory + 8192);
	pthread_attr_t attributes;
	pthread_t thread;

	if (mprotect(memory, 4096, PROT_NONE))
		return 1;
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, memory + 4096, 262144);
	if (pthread_create(&thread, &attributes, work, NULL))
		return 1;
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attributes);
	for (int i = 0; i < 50; i++)
		pointers[i] = calloc(1, 280);
	return 0;
}
