// The argument vector, above main's frame.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 26/1
// valgrind: same
#include "corpus.h"

NOINLINE void set(char **argv)
{
	argv[0] = (char *)calloc(1, 26);
}

int main(int argc, char **argv)
{
	(void)argc;
	set(argv);
	scrub_stack();
	return 0;
}
