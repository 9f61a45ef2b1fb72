// A block that grows by a byte at a time, where it lies.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 64/1
// valgrind: same
#include "corpus.h"

char *kept;

int main(void)
{
	for (size_t bytes = 49; bytes <= 64; bytes++)
		kept = (char *)realloc(kept, bytes);
	scrub_stack();
	return 0;
}
