// A lost block points to the lowest block of a ring: only that block is lost directly, whether it
// lies above the ring or below.
// expect: definite 24/1 indirect 72/3 possible 0/0 reachable 0/0
// top: make_node make_root main
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

NOINLINE void make_root(void)
{
	use(make_node(make_ring()));
}

int main(void)
{
	make_root();
	scrub_stack();
	return 0;
}
