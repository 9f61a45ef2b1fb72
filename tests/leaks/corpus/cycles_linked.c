// A ring points to the lowest block of another ring, which was made first.
// expect: definite 24/1 indirect 120/5 possible 0/0 reachable 0/0
// valgrind: same
#include "corpus.h"

NOINLINE struct node *make_ring(void)
{
	struct node *list = make_list(3), *lowest = list;

	for (struct node *node = list; node; node = node->next)
		lowest = node < lowest ? node : lowest;
	list->next->next->next = list;
	return lowest;
}

NOINLINE void lose(void)
{
	struct node *lower = make_ring();

	make_ring()->other = lower;
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
