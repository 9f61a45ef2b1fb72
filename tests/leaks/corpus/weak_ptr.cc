// A weak_ptr keeps the block of make_shared when the object is gone.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable >=56/2
// valgrind: same
#include "corpus.h"
#include <memory>

std::weak_ptr<node> *kept;

NOINLINE void make()
{
	kept = new std::weak_ptr<node>(std::make_shared<node>());
}

int main()
{
	make();
	scrub_stack();
}
