// A glob_t that was not freed: its vector and the names.
// expect: definite >=16/1 indirect >=10/1 possible 0/0 reachable 0/0
// top: lose main
// valgrind: same
#include "corpus.h"
#include <glob.h>

NOINLINE void lose(void)
{
	glob_t found;

	if (glob("/dev/nul[l]", 0, NULL, &found))
		abort();
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
