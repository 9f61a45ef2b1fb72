// release() where reset() was meant.
// expect: definite 24/1 indirect 0/0 possible 0/0 reachable >=0/0
// top: make lose main
// valgrind: same
#include "corpus.h"
#include <memory>

NOINLINE std::unique_ptr<node> make()
{
	return std::unique_ptr<node>(new node());
}

NOINLINE void lose()
{
	use(make().release());
}

int main()
{
	lose();
	scrub_stack();
}
