// A lost block and what it points to.
// expect: definite 24/1 indirect 100/1 possible 0/0 reachable 0/0
// top: make_node lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	struct node *child = (struct node *)calloc(1, 100);

	use(make_node(child));
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
