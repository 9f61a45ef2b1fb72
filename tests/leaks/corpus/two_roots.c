// Two lost blocks share a child, which is charged to one of them.
// expect: definite 48/2 indirect 100/1 possible 0/0 reachable 0/0
// top: make_node lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	struct node *child = (struct node *)calloc(1, 100);

	for (int i = 0; i < 2; i++)
		use(make_node(child));
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
