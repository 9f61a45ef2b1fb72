// libc's tree: glibc marks the pointer to a red node with a low bit, which makes it an interior
// one. The last of ten keys in order is red.
// expect: definite 0/0 indirect 0/0 possible 24/1 reachable 216/9
// valgrind: same
#include "corpus.h"
#include <search.h>

void *root;

NOINLINE int compare(const void *a, const void *b)
{
	return a < b ? -1 : a > b;
}

int main(void)
{
	static char keys[10];

	for (int i = 0; i < 10; i++)
		tsearch(&keys[i], &root, compare);
	scrub_stack();
	return 0;
}
