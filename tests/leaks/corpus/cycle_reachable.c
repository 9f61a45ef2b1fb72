// A ring that a global points to.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 72/3
// valgrind: same
#include "corpus.h"

struct node *kept;

int main(void)
{
	kept = make_list(3);
	kept->next->next->next = kept;
	return 0;
}
