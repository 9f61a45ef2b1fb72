// A lost std::function: what it captured is in a block of its own.
// expect: definite 32/1 indirect 80/1 possible 0/0 reachable >=0/0
// top: lose main
// valgrind: same
#include "corpus.h"
#include <functional>

struct large {
	long values[10];
};

NOINLINE void lose()
{
	large values = {};

	use(new std::function<long()>([values] { return values.values[1]; }));
}

int main()
{
	lose();
	scrub_stack();
}
