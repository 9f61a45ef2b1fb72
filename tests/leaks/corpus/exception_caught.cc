// exit is called when an exception is being handled: the runtime points
// into the middle of its block.
// expect: definite 0/0 indirect 0/0 possible 152/1 reachable >=0/0
// valgrind: same
#include "corpus.h"

struct exception {
	long values[3];
};

NOINLINE void leave()
{
	throw exception{};
}

int main()
{
	try {
		leave();
	} catch (const exception &) {
		scrub_stack();
		exit(0);
	}
}
