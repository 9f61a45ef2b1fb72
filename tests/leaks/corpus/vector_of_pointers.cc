// The vector is destroyed, the objects are not.
// expect: definite 120/5 indirect 0/0 possible 0/0 reachable >=0/0
// top: lose main
// valgrind: same
#include "corpus.h"
#include <vector>

NOINLINE void lose()
{
	std::vector<node *> objects;

	objects.reserve(5);
	for (int i = 0; i < 5; i++)
		objects.push_back(new node());
}

int main()
{
	lose();
	scrub_stack();
}
