// The same array, lost.
// expect: definite 80/1 indirect 0/0 possible 0/0 reachable >=0/0
// top: lose main
// valgrind: same
#include "corpus.h"

struct item {
	long values[3];
	~item()
	{
		use(this);
	}
};

NOINLINE void lose()
{
	use(new item[3]);
}

int main()
{
	lose();
	scrub_stack();
}
