// Everything is freed.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 0/0
// valgrind: same
#include "corpus.h"

int main(void)
{
	free(make_node(NULL));
	return 0;
}
