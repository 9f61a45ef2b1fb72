// A block that points into itself, as an empty list head does.
// expect: definite 24/1 indirect 0/0 possible 0/0 reachable 0/0
// top: make_node lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	struct node *node = make_node(NULL);

	node->next = (struct node *)&node->other;
	node->other = (struct node *)&node->other;
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
