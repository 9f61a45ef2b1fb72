// Two ways lead from a lost block to the same child, which is counted once.
// expect: definite 24/1 indirect 148/3 possible 0/0 reachable 0/0
// top: make_node lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	struct node *bottom = (struct node *)calloc(1, 100);
	struct node *root = make_node(make_node(bottom));

	root->other = make_node(bottom);
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
