// A thread_local object of a thread that has ended is destroyed, one of a waiting thread is not.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable >=800/1
// valgrind: same
#include "corpus.h"
#include <vector>

static thread_local std::vector<long> values;

NOINLINE void *fill(void *unused)
{
	values.resize(100);
	return unused;
}

NOINLINE void *hold(void *unused)
{
	fill(unused);
	scrub_stack();
	park();
	return unused;
}

int main()
{
	run_thread(fill);
	start_parked(hold);
	scrub_stack();
}
