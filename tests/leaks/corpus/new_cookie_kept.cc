// An array of objects with destructors has its length in front: the program's pointer is an
// interior one. (Valgrind has a heuristic that calls this reachable; it is run without.)
// expect: definite 0/0 indirect 0/0 possible 80/1 reachable >=0/0
// top possible: make main
// valgrind: same
#include "corpus.h"

struct item {
	long values[3];
	~item()
	{
		use(this);
	}
};

item *kept;

NOINLINE void make()
{
	kept = new item[3];
}

int main()
{
	make();
	scrub_stack();
}
