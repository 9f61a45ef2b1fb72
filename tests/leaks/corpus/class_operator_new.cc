// A class with an operator new of its own, upon malloc.
// expect: definite 40/1 indirect 0/0 possible 0/0 reachable >=0/0
// top: operator_new lose main
// valgrind: same
#include "corpus.h"

struct item {
	long values[5];
	static NOINLINE void *operator new(size_t bytes)
	{
		return malloc(bytes);
	}
};

NOINLINE void lose()
{
	use(new item);
}

int main()
{
	lose();
	scrub_stack();
}
