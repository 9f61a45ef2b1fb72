// The child loses a block of its own; the parent has one that is reachable in both.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 100/1
// child: definite 48/1 indirect 0/0 possible 0/0 reachable 100/1
// valgrind: same
#include "corpus.h"
#include <sys/wait.h>

void *kept;

NOINLINE void lose(void)
{
	use(malloc(48));
}

int main(void)
{
	kept = malloc(100);
	if (!fork()) {
		lose();
		scrub_stack();
		exit(0);
	}
	return wait(NULL) < 0;
}
