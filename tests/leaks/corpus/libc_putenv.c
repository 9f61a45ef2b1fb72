// The environment points to the string of the program's; that it was replaced loses the first.
// The new vector is libc's.
// expect: definite 26/1 indirect 0/0 possible 0/0 reachable >=28/1
// top: set main
// valgrind: same
#include "corpus.h"

NOINLINE void set(size_t bytes)
{
	char *text = (char *)malloc(bytes);

	strcpy(text, "CORPUS=value");
	putenv(text);
}

int main(void)
{
	set(26);
	set(28);
	scrub_stack();
	return 0;
}
