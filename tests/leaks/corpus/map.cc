// A lost map with three nodes; its header inside it is where the nodes point.
// expect: definite 48/1 indirect 120/3 possible 0/0 reachable >=0/0
// top: lose main
// valgrind: same
#include "corpus.h"
#include <map>

NOINLINE void lose()
{
	use(new std::map<int, int>{{1, 2}, {3, 4}, {5, 6}});
}

int main()
{
	lose();
	scrub_stack();
}
