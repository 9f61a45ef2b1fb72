// A list whose head is kept.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 240/10
// valgrind: same
#include "corpus.h"

struct node *kept;

int main(void)
{
	kept = make_list(10);
	return 0;
}
