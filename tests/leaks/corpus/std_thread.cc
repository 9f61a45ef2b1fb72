// Lost in a std::thread.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable >=0/0
// top: lose work
// valgrind: same
#include "corpus.h"
#include <thread>

NOINLINE void lose()
{
	use(new char[48]);
}

NOINLINE void work(int number)
{
	lose();
	use(&number);
}

int main()
{
	std::thread(work, 1).join();
	scrub_stack();
}
