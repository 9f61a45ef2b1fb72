// A lost block points into the middle of another, which goes with it.
// expect: definite 24/1 indirect 300/1 possible 0/0 reachable 0/0
// top: make_node make main
// valgrind: same
#include "corpus.h"

NOINLINE void make(void)
{
	make_node(NULL)->next = (struct node *)((char *)malloc(300) + 16);
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
