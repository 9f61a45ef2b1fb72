// Deleted by a base class whose destructor is not virtual: the member's buffer stays.
// expect: definite 101/1 indirect 0/0 possible 0/0 reachable >=0/0
// valgrind: same
// flags: -Wno-delete-non-virtual-dtor
#include "corpus.h"
#include <string>

struct base {
	int number = 1;
};

struct derived : base {
	std::string text = std::string(100, 'x');
};

NOINLINE base *make()
{
	return new derived;
}

NOINLINE void lose()
{
	operator delete(make());
}

int main()
{
	lose();
	scrub_stack();
}
