// A chain that begins at an interior pointer is possibly lost, but not that part of it to which a
// pointer leads.
// expect: definite 0/0 indirect 0/0 possible 24/1 reachable 72/3
// top possible: make_node make
// valgrind: same
#include "corpus.h"

long *inside;
struct node *tail;

NOINLINE void make(void)
{
	tail = make_list(3);
	inside = &make_node(tail)->payload;
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
