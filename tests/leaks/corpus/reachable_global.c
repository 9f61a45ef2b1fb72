// A global points to the block.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 1000/1
// valgrind: same
#include "corpus.h"

char *kept;

int main(void)
{
	kept = (char *)malloc(1000);
	return 0;
}
