// A program with operators of its own, upon malloc: they are its frames.
// expect: definite 24/1 indirect 0/0 possible 0/0 reachable >=0/0
// top: operator_new lose main
// valgrind: same
#include "corpus.h"
#include <new>

NOINLINE void *operator new(size_t bytes)
{
	return malloc(bytes);
}

NOINLINE void operator delete(void *block) noexcept
{
	free(block);
}

NOINLINE void operator delete(void *block, size_t) noexcept
{
	free(block);
}

NOINLINE void lose()
{
	use(new node);
	delete new long;
}

int main()
{
	lose();
	scrub_stack();
}
