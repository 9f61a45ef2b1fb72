// realloc to nothing frees.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 0/0
// valgrind: same
#include "corpus.h"

int main(void)
{
	volatile size_t nothing = 0;

	use(realloc(malloc(64), nothing));
	return 0;
}
