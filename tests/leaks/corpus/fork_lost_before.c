// A block that was lost before the fork is lost in both processes.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
// child: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// valgrind: same
#include "corpus.h"
#include <sys/wait.h>

NOINLINE void lose(void)
{
	use(malloc(48));
}

int main(void)
{
	lose();
	scrub_stack();
	if (fork())
		wait(NULL);
	return 0;
}
