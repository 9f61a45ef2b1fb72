// A lost array of ten lost strings.
// expect: definite 80/1 indirect 220/10 possible 0/0 reachable 0/0
// top: lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	char **array = (char **)malloc(10 * sizeof(*array));

	for (int i = 0; i < 10; i++)
		array[i] = (char *)calloc(1, 22);
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
