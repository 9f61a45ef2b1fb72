// expect: definite 16/1 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	char *text;

	if (asprintf(&text, "number %08d", 42) == 15)
		use(text);
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
