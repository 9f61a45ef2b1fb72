// Strings that live when exit is called: one on the stack, one in a block.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable >=234/3
// valgrind: same
#include "corpus.h"
#include <string>

std::string *kept;

int main()
{
	std::string held(100, 'x');

	kept = new std::string(100, 'y');
	use(&held);
	scrub_stack();
	exit(0);
}
