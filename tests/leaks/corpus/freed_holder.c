// The block that pointed here was freed: what is left in its memory does not count.
// expect: definite 90/1 indirect 0/0 possible 0/0 reachable 0/0
// top: make main
// valgrind: same
#include "corpus.h"

struct node *kept;

NOINLINE void make(void)
{
	kept = make_node(NULL);
	kept->other = (struct node *)malloc(90);
	free(kept);
}

int main(void)
{
	make();
	scrub_stack();
	return 0;
}
