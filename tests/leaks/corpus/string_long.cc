// A lost string with a text of its own.
// expect: definite 32/1 indirect 101/1 possible 0/0 reachable >=0/0
// top: lose main
// valgrind: same
#include "corpus.h"
#include <string>

NOINLINE void lose()
{
	use(new std::string(100, 'x'));
}

int main()
{
	lose();
	scrub_stack();
}
