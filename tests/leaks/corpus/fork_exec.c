// A child that becomes another program.
// expect: definite 64/1 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
// child: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// valgrind: same
#include "corpus.h"
#include <sys/wait.h>

NOINLINE void lose(size_t bytes)
{
	use(malloc(bytes));
}

int main(int argc, char **argv)
{
	if (argc == 1 && !fork()) {
		char *const arguments[] = {argv[0], (char *)"again", NULL};

		return execv(argv[0], arguments);
	}
	lose(argc == 1 ? 64 : 48);
	scrub_stack();
	return argc == 1 && wait(NULL) < 0;
}
