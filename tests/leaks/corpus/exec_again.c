// The new program is reported, not what the old one had.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	use(malloc(48));
}

int main(int argc, char **argv)
{
	if (argc == 1) {
		char *const arguments[] = {argv[0], (char *)"again", NULL};

		return execv(argv[0], arguments);
	}
	lose();
	scrub_stack();
	return 0;
}
