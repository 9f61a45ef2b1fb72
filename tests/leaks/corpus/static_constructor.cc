// The constructor of a static object loses a block before main.
// expect: definite 30/1 indirect 0/0 possible 0/0 reachable >=0/0
// top: guard
// valgrind: same
#include "corpus.h"

struct guard {
	NOINLINE guard()
	{
		use(new char[30]);
	}
};

static guard instance;

int main()
{
	use(&instance);
	scrub_stack();
}
