// A ring of three: one stands for all.
// expect: definite 24/1 indirect 48/2 possible 0/0 reachable 0/0
// top: make_node make_list lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	struct node *list = make_list(3);

	list->next->next->next = list;
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
