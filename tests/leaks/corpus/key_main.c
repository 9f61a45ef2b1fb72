// Thread-specific data of the main thread.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 44/1
// valgrind: same
#include "corpus.h"

pthread_key_t key;

NOINLINE void set(void)
{
	pthread_setspecific(key, malloc(44));
}

int main(void)
{
	pthread_key_create(&key, NULL);
	set();
	scrub_stack();
	return 0;
}
