// A lost block and a possibly lost one share a child: the child is possibly lost.
// expect: definite 24/1 indirect 0/0 possible 124/2 reachable 0/0
// top: make_node lose_parent main
// valgrind: same
#include "corpus.h"

long *inside;

NOINLINE void lose_parent(void)
{
	struct node *child = (struct node *)calloc(1, 100);

	use(make_node(child));
	inside = &make_node(child)->payload;
}

int main(void)
{
	lose_parent();
	scrub_stack();
	return 0;
}
