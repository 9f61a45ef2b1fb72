// A directory that was not closed.
// expect: definite 32816/1 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
// valgrind: same
#include "corpus.h"
#include <dirent.h>

NOINLINE void lose(void)
{
	use(opendir("/proc"));
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
