// As an ended thread's variables in a stack that is used again: what they were found by is a block
// of the program's now, whose first page may not be read.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 8192/1
// valgrind: differs: to it no pointer is one whose page may not be read
// valgrind-says: definite 8192/1 indirect 0/0 possible 0/0 reachable 0/0
#include <sys/mman.h>

#include "corpus.h"

static void *words[3];
static char *volatile stack;

int main(void)
{
	stack = aligned_alloc(4096, 8192);
	words[0] = words[2] = words;
	words[1] = stack + 16;
	return !stack || mprotect(stack, 4096, PROT_NONE);
}
