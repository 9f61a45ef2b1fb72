// A destructor frees the value, but loses a block of its own.
// expect: definite 33/1 indirect 0/0 possible 0/0 reachable 0/0
// top: destroy
// valgrind: same
#include "corpus.h"

pthread_key_t key;

NOINLINE void destroy(void *value)
{
	free(value);
	use(malloc(33));
}

NOINLINE void *work(void *unused)
{
	pthread_setspecific(key, malloc(44));
	return unused;
}

int main(void)
{
	pthread_key_create(&key, destroy);
	run_thread(work);
	scrub_stack();
	return 0;
}
