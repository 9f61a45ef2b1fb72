// The first and last words of large blocks hold the only pointers; so does a word in the middle.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 48234696/6
// valgrind: same
#include "corpus.h"

char *kept[3];

NOINLINE void fill(int i, size_t bytes, size_t offset)
{
	kept[i] = (char *)calloc(1, bytes);
	*(void **)(kept[i] + offset) = malloc(40 + i * 20 + (i == 2 ? 20 : 0));
}

int main(void)
{
	fill(0, 1 << 20, 0);
	fill(1, 5 << 20, (5 << 20) - sizeof(void *));
	fill(2, 40 << 20, (23 << 20) + 4096);
	scrub_stack();
	return 0;
}
