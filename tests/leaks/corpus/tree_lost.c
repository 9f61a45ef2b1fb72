// A lost tree: its root and 14 nodes below.
// expect: definite 24/1 indirect 336/14 possible 0/0 reachable 0/0
// top: make_node make_tree lose main
// valgrind: same
#include "corpus.h"

NOINLINE struct node *make_tree(int depth)
{
	struct node *node = make_node(NULL);

	if (depth) {
		node->next = make_tree(depth - 1);
		node->other = make_tree(depth - 1);
	}
	return node;
}

NOINLINE void lose(void)
{
	use(make_tree(3));
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
