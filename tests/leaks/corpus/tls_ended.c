// A variable of a thread that has ended.
// expect: definite 56/1 indirect 0/0 possible 0/0 reachable 0/0
// top: hold
// valgrind: differs: it finds the variable in what glibc keeps of the thread's stack
// valgrind-says: definite 0/0 indirect 0/0 possible 0/0 reachable 56/1
#include "corpus.h"

static __thread void *volatile kept;

NOINLINE void *hold(void *unused)
{
	kept = malloc(56);
	return unused;
}

int main(void)
{
	run_thread(hold);
	scrub_stack();
	return 0;
}
