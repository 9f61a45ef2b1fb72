// Lost after main: by a destructor, which also loses what main kept, and frees another block.
// expect: definite 104/2 indirect 0/0 possible 0/0 reachable 0/0
// top: after_main
// top: main
// valgrind: same
#include "corpus.h"

void *kept, *freed;

static __attribute__((destructor)) void after_main(void)
{
	use(malloc(48));
	kept = NULL;
	free(freed);
	scrub_stack();
}

int main(void)
{
	kept = malloc(56);
	freed = malloc(500);
	scrub_stack();
	return 0;
}
