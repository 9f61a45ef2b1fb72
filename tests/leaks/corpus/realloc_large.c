// Large blocks that grow and shrink by remapping keep what they point to.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 67109088/2
// valgrind: same
#include "corpus.h"

void **kept;

int main(void)
{
	kept = (void **)malloc(2 << 20);
	kept[0] = malloc(224);
	kept = (void **)realloc(kept, 80 << 20);
	kept = (void **)realloc(kept, 64 << 20);
	scrub_stack();
	return 0;
}
