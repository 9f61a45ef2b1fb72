// A lost block points to one that is reachable, which stays so.
// expect: definite 24/1 indirect 0/0 possible 0/0 reachable 500/1
// top: make_node lose main
// valgrind: same
#include "corpus.h"

void *kept;

NOINLINE void lose(void)
{
	kept = calloc(1, 500);
	use(make_node((struct node *)kept));
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
