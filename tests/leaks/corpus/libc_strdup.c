// The allocation is libc's call, for the program.
// expect: definite 23/2 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
// top: lose_part main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	use(strdup("a lost string"));
}

NOINLINE void lose_part(void)
{
	use(strndup("a lost string", 8));
}

int main(void)
{
	lose();
	lose_part();
	scrub_stack();
	return 0;
}
