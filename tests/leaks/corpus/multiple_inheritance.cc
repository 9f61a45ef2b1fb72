// The pointer is to the second base class, in the middle of the object. (Valgrind has a heuristic
// that calls this reachable; it is run without.)
// expect: definite 0/0 indirect 0/0 possible 40/1 reachable >=0/0
// top possible: make main
// valgrind: same
#include "corpus.h"

struct first {
	virtual ~first() = default;
	long number = 1;
};

struct second {
	virtual ~second() = default;
	long number = 2;
};

struct both : first, second {
	long number = 3;
};

second *kept;

NOINLINE void make()
{
	kept = new both;
}

int main()
{
	make();
	scrub_stack();
}
