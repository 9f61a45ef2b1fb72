// A block that points to itself is lost all the same.
// expect: definite 24/1 indirect 0/0 possible 0/0 reachable 0/0
// top: make_node lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	struct node *node = make_node(NULL);

	node->next = node;
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
