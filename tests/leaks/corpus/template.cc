// Instances of a template are functions of their own.
// expect: definite 12/2 indirect 0/0 possible 0/0 reachable >=0/0
// top: lose main
// valgrind: same
#include "corpus.h"

namespace space
{
template <typename T> struct maker {
	static NOINLINE void lose()
	{
		use(new T);
	}
};
} // namespace space

int main()
{
	space::maker<int>::lose();
	space::maker<double>::lose();
	scrub_stack();
}
