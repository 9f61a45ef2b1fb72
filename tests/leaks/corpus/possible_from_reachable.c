// A reachable block points into the middle of another.
// expect: definite 0/0 indirect 0/0 possible 300/1 reachable 24/1
// top possible: make main
// valgrind: same
#include "corpus.h"

struct node *kept;

NOINLINE void make(void)
{
	kept = make_node(NULL);
	kept->next = (struct node *)((char *)malloc(300) + 16);
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
