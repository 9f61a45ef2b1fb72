// Objects linked by a member that is not their first: each is reached by an interior pointer.
// expect: definite 0/0 indirect 0/0 possible 150/3 reachable 0/0
// valgrind: same
#include "corpus.h"

struct link {
	struct link *next;
} head;

NOINLINE void add(void)
{
	struct link *link = (struct link *)((char *)calloc(1, 50) + 16);

	link->next = head.next;
	head.next = link;
}

int main(void)
{
	for (int i = 0; i < 3; i++)
		add();
	scrub_stack();
	return 0;
}
