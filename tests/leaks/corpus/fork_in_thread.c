// A thread forks: in the child the other threads are gone, and with main's frame what it held.
// Their stacks are mapped all the same, and their frames as they were.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 64/1
// child: definite 40/1 indirect 0/0 possible 0/0 reachable 64/1
// valgrind: same
#include "corpus.h"
#include <sys/wait.h>

NOINLINE void lose(void)
{
	use(malloc(40));
}

NOINLINE void *work(void *unused)
{
	if (!fork()) {
		lose();
		scrub_stack();
		exit(0);
	}
	wait(NULL);
	return unused;
}

int main(void)
{
	void *volatile kept = malloc(64);

	run_thread(work);
	scrub_stack();
	use(kept);
	exit(0);
}
