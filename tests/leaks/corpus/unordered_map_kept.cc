// A hash table that lives when exit is called.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable >=2400/101
// valgrind: same
#include "corpus.h"
#include <unordered_map>

int main()
{
	std::unordered_map<long, long> table;

	for (long i = 0; i < 100; i++)
		table[i * 77] = i;
	use(&table);
	exit(0);
}
