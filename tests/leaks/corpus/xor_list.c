// documented-miss: a node holds the difference of its neighbours' addresses. The ends have one
// neighbour and hold its address, so of seven nodes three cannot be found.
// expect: definite 72/3 indirect 0/0 possible 0/0 reachable 96/4
// top: add main
// valgrind: same
#include "corpus.h"

struct xored {
	uintptr_t link;
	long payload[2];
};

struct xored *first, *last;

NOINLINE void add(void)
{
	struct xored *node = (struct xored *)calloc(1, sizeof(*node));

	node->link = (uintptr_t)last;
	if (last)
		last->link ^= (uintptr_t)node;
	else
		first = node;
	last = node;
}

int main(void)
{
	for (int i = 0; i < 7; i++)
		add();
	scrub_stack();
	return 0;
}
