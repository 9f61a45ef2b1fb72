// documented-miss: only aligned words are read, and this pointer lies across two.
// expect: definite 80/1 indirect 0/0 possible 0/0 reachable 0/0
// top: hide main
// valgrind: same
#include "corpus.h"

char holder[32] __attribute__((aligned(16)));

NOINLINE void hide(void)
{
	void *block = malloc(80);

	memcpy(holder + 3, &block, sizeof(block));
}

int main(void)
{
	hide();
	scrub_stack();
	return 0;
}
