// A list that was cut in the middle.
// expect: definite 24/1 indirect 48/2 possible 0/0 reachable 72/3
// top: make_node make_list main
// valgrind: same
#include "corpus.h"

struct node *kept;

int main(void)
{
	kept = make_list(6);
	kept->next->next->next = NULL;
	scrub_stack();
	return 0;
}
