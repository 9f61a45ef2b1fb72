// exit is called when frames are alive that hold pointers: in variables, in an array, by alloca.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 144/3
// valgrind: same
#include "corpus.h"
#include <alloca.h>

NOINLINE void leave(void)
{
	scrub_stack();
	exit(0);
}

NOINLINE void hold_in_alloca(int nr)
{
	void **area = (void **)alloca(nr * sizeof(*area));

	memset(area, 0, nr * sizeof(*area));
	area[nr / 2] = malloc(80);
	leave();
	use(area);
}

NOINLINE void hold_in_array(void)
{
	void *array[50] = {NULL};

	use(array);
	array[20] = malloc(40);
	hold_in_alloca(100);
	use(array);
}

int main(void)
{
	void *volatile kept = malloc(24);

	hold_in_array();
	use(kept);
	return 1;
}
