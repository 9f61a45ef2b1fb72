// A pointer to the start counts more than one into the middle.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 96/1
// valgrind: same
#include "corpus.h"

char *inside, *start;

int main(void)
{
	start = (char *)malloc(96);
	inside = start + 8;
	return 0;
}
