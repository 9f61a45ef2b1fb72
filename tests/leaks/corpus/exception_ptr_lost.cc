// A lost exception_ptr, and with it the exception.
// expect: definite 8/1 indirect 152/1 possible 0/0 reachable >=0/0
// top: lose main
// valgrind: same
#include "corpus.h"
#include <exception>

struct exception {
	long values[3];
};

NOINLINE void lose()
{
	use(new std::exception_ptr(std::make_exception_ptr(exception{})));
}

int main()
{
	lose();
	scrub_stack();
}
