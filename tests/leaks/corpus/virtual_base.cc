// The pointer is to a virtual base, at the object's end.
// expect: definite 0/0 indirect 0/0 possible 32/1 reachable >=0/0
// top possible: make main
// valgrind: same
#include "corpus.h"

struct root {
	virtual ~root() = default;
	long number = 1;
};

struct leaf : virtual root {
	long number = 2;
};

root *kept;

NOINLINE void make()
{
	kept = new leaf;
}

int main()
{
	make();
	scrub_stack();
}
