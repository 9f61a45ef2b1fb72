// Three children: one frees what it has of the parent, one loses it, one leaves at once by _exit.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 100/1
// child: definite 0/0 indirect 0/0 possible 0/0 reachable 0/0
// child: definite 100/1 indirect 0/0 possible 0/0 reachable 0/0
// child: definite 0/0 indirect 0/0 possible 0/0 reachable 100/1
// valgrind: same
#include "corpus.h"
#include <sys/wait.h>

void *kept;

int main(void)
{
	kept = malloc(100);
	if (!fork()) {
		free(kept);
		return 0;
	}
	if (!fork()) {
		kept = NULL;
		scrub_stack();
		return 0;
	}
	if (!fork())
		_exit(0);
	while (wait(NULL) > 0)
		;
	return 0;
}
