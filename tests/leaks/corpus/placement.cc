// An object in a block of malloc's owns one of new's.
// expect: definite 64/1 indirect 101/1 possible 0/0 reachable >=0/0
// top: lose main
// valgrind: same
#include "corpus.h"
#include <new>
#include <string>

NOINLINE void lose()
{
	use(new (malloc(64)) std::string(100, 'x'));
}

int main()
{
	lose();
	scrub_stack();
}
