// The buffer of getline belongs to its caller; the stream is closed.
// expect: definite 120/1 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	FILE *file = fopen("/proc/self/comm", "r");
	char *line = NULL;
	size_t bytes = 0;

	if (file && getline(&line, &bytes, file) > 0)
		fclose(file);
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
