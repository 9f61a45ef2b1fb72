// The values of keys above 32 are in blocks of libc's.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable >=44/1
// valgrind: same
#include "corpus.h"

NOINLINE void set(void)
{
	pthread_key_t key;

	for (int i = 0; i < 100; i++)
		pthread_key_create(&key, NULL);
	pthread_setspecific(key, malloc(44));
}

int main(void)
{
	set();
	scrub_stack();
	return 0;
}
