// The copies that setenv makes are libc's own.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable >=0/0
// valgrind: same
#include "corpus.h"

int main(void)
{
	setenv("CORPUS", "value", 1);
	setenv("CORPUS", "another value", 1);
	scrub_stack();
	return 0;
}
