// Containers with static storage: one is destroyed at exit, one on purpose never.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable >=128/3
// valgrind: same
#include "corpus.h"
#include <map>

static std::map<int, int> destroyed;
static auto &never_destroyed = *new std::map<int, int>;

int main()
{
	destroyed = {{1, 2}, {3, 4}};
	never_destroyed = {{1, 2}, {3, 4}};
}
