// A lost std::list: a ring through its head.
// expect: definite 24/1 indirect 72/3 possible 0/0 reachable >=0/0
// top: lose main
// valgrind: same
#include "corpus.h"
#include <list>

NOINLINE void lose()
{
	use(new std::list<long>{1, 2, 3});
}

int main()
{
	lose();
	scrub_stack();
}
