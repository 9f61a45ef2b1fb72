// The destructor of a static object frees one block and loses another.
// expect: definite 30/1 indirect 0/0 possible 0/0 reachable >=0/0
// top: ~guard
// valgrind: same
#include "corpus.h"

struct guard {
	char *held = new char[100];

	NOINLINE ~guard()
	{
		delete[] held;
		use(new char[30]);
	}
};

static guard instance;

int main()
{
	use(&instance);
}
