// A tree of which only the root was freed, large enough to be a run of pages.
// expect: definite 180000/2 indirect 90000/1 possible 0/0 reachable 0/0
// top: make_large make main
// valgrind: same
#include "corpus.h"

NOINLINE struct node *make_large(struct node *next)
{
	struct node *node = (struct node *)calloc(1, 90000);

	node->next = next;
	return node;
}

NOINLINE void make(void)
{
	struct node *root = make_large(make_large(NULL));

	root->other = make_large(make_large(NULL));
	free(root->other->next);
	root->other->next = NULL;
	use(make_large(root->next));
	free(root);
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
