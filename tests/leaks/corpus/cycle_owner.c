// documented-miss: blocks are taken in the order of their addresses, and the first of a ring owns
// the others. Another that lies above the ring and points to one of those owns nothing.
// expect: definite 48/2 indirect 48/2 possible 0/0 reachable 0/0
// top: make_node lose main
// valgrind: same
#include "corpus.h"

NOINLINE int compare(const void *a, const void *b)
{
	return *(char *const *)a < *(char *const *)b ? -1 : 1;
}

NOINLINE void lose(void)
{
	struct node *nodes[4];

	for (int i = 0; i < 4; i++)
		nodes[i] = make_node(NULL);
	qsort(nodes, 4, sizeof(nodes[0]), compare);
	for (int i = 0; i < 3; i++)
		nodes[i]->next = nodes[(i + 1) % 3];
	nodes[3]->next = nodes[1];
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
