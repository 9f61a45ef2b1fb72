// The stream is closed, its buffer is the caller's to free.
// expect: definite >=5/1 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	char *text;
	size_t bytes;
	FILE *file = open_memstream(&text, &bytes);

	fputs("text", file);
	fclose(file);
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
