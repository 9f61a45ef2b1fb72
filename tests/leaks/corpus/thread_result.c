// The result of a joined thread is dropped.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// top: work
// valgrind: differs: it finds the result in what glibc keeps of the thread's stack
// valgrind-says: definite 0/0 indirect 0/0 possible 0/0 reachable 48/1
#include "corpus.h"

NOINLINE void *work(void *unused)
{
	(void)unused;
	return malloc(48);
}

NOINLINE void lose(void)
{
	run_thread(work);
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
