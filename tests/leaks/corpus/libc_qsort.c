// Lost in a callback, below libc's frames, which have no frame pointers.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// top: compare sort main
// valgrind: same
#include "corpus.h"

NOINLINE int compare(const void *a, const void *b)
{
	use(malloc(48));
	return *(const char *)a - *(const char *)b;
}

NOINLINE void sort(void)
{
	char letters[2] = {'b', 'a'};

	qsort(letters, 2, 1, compare);
	use(letters);
}

int main(void)
{
	sort();
	scrub_stack();
	return 0;
}
