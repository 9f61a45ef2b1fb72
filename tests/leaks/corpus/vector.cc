// A lost vector of vectors: its array, and theirs.
// expect: definite 24/1 indirect 480/5 possible 0/0 reachable >=0/0
// top: lose main
// valgrind: same
#include "corpus.h"
#include <vector>

NOINLINE void lose()
{
	use(new std::vector<std::vector<long>>(4, std::vector<long>(12, 7)));
}

int main()
{
	lose();
	scrub_stack();
}
