// Objects of new, in all forms of the operator. libstdc++ has a pool of its own, which may count as
// reachable, here and below.
// expect: definite 336/4 indirect 0/0 possible 0/0 reachable >=0/0
// top: lose_plain main
// top: lose_nothrow main
// top: lose_aligned main
// top: lose_array main
// valgrind: same
#include "corpus.h"
#include <new>

struct alignas(64) wide {
	char bytes[128];
};

NOINLINE void lose_plain()
{
	use(new char[48]);
}

NOINLINE void lose_nothrow()
{
	use(new (std::nothrow) node);
}

NOINLINE void lose_aligned()
{
	use(new wide);
}

NOINLINE void lose_array()
{
	use(new long[17]);
}

int main()
{
	lose_plain();
	lose_nothrow();
	lose_aligned();
	lose_array();
	scrub_stack();
}
