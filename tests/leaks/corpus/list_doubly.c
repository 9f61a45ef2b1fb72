// A doubly linked list without a head: one of them stands for all.
// expect: definite 24/1 indirect 72/3 possible 0/0 reachable 0/0
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	struct node *list = make_list(4);

	for (struct node *node = list; node->next; node = node->next)
		node->next->other = node;
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
