// Two objects that own each other. make_shared has object and counts in one block, and what points
// to the object points into its middle.
// expect: definite 40/1 indirect 40/1 possible 0/0 reachable >=0/0
// valgrind: same
#include "corpus.h"
#include <memory>

struct owner {
	std::shared_ptr<owner> other;
	long payload = 1;
};

NOINLINE void lose()
{
	auto one = std::make_shared<owner>();
	auto two = std::make_shared<owner>();

	one->other = two;
	two->other = one;
}

int main()
{
	lose();
	scrub_stack();
}
