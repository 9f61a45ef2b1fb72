// A constructor throws: the object's memory is freed, what the constructor made is not.
// expect: definite 77/1 indirect 0/0 possible 0/0 reachable >=0/0
// top: item make main
// valgrind: same
#include "corpus.h"

struct item {
	char *text;
	long values[9];
	NOINLINE item() : text(new char[77])
	{
		throw 5;
	}
};

NOINLINE void make()
{
	try {
		use(new item);
	} catch (int) {
	}
}

int main()
{
	make();
	scrub_stack();
}
