// A stream that has something in a buffer of the program's.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 2000/1
// valgrind: differs: it looks when libc has flushed the stream and taken the buffer away
// valgrind-says: definite 2000/1 indirect 0/0 possible 0/0 reachable 0/0
#include "corpus.h"

NOINLINE void give(void)
{
	setvbuf(stdout, (char *)malloc(2000), _IOFBF, 2000);
	fputs("text\n", stdout);
}

int main(void)
{
	give();
	scrub_stack();
	return 0;
}
