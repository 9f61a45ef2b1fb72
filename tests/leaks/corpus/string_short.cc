// A lost string whose text is inside it: it points into itself.
// expect: definite 32/1 indirect 0/0 possible 0/0 reachable >=0/0
// top: lose main
// valgrind: same
#include "corpus.h"
#include <string>

NOINLINE void lose()
{
	use(new std::string("short"));
}

int main()
{
	lose();
	scrub_stack();
}
