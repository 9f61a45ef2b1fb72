// A branch of 7 nodes is cut off a tree of 15.
// expect: definite 24/1 indirect 144/6 possible 0/0 reachable 192/8
// top: make_node make_tree make_tree main
// valgrind: same
#include "corpus.h"

struct node *kept;

NOINLINE struct node *make_tree(int depth)
{
	struct node *node = make_node(NULL);

	if (depth) {
		node->next = make_tree(depth - 1);
		node->other = make_tree(depth - 1);
	}
	return node;
}

int main(void)
{
	kept = make_tree(3);
	kept->other = NULL;
	scrub_stack();
	return 0;
}
