// A lost shared_ptr with a separate count: the object and the count go with it.
// expect: definite 16/1 indirect 48/2 possible 0/0 reachable >=0/0
// top: lose main
// valgrind: same
#include "corpus.h"
#include <memory>

NOINLINE void lose()
{
	use(new std::shared_ptr<node>(new node()));
}

int main()
{
	lose();
	scrub_stack();
}
