// The program closes its standard streams before it ends, as coreutils do.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// top: lose main
// valgrind: same
#include "corpus.h"

NOINLINE void lose(void)
{
	use(malloc(48));
}

NOINLINE void close_streams(void)
{
	fclose(stdout);
	fclose(stderr);
	close(1);
	close(2);
}

int main(void)
{
	atexit(close_streams);
	lose();
	scrub_stack();
	return 0;
}
