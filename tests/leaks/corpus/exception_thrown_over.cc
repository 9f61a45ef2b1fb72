// An exception leaves a frame with a plain pointer.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable >=0/0
// top: work main
// valgrind: same
#include "corpus.h"
#include <stdexcept>

NOINLINE void leave()
{
	throw std::runtime_error("a text that is too long to be kept inside");
}

NOINLINE void work()
{
	char *held = new char[48];

	leave();
	delete[] held;
}

int main()
{
	try {
		work();
	} catch (const std::runtime_error &) {
	}
	scrub_stack();
}
