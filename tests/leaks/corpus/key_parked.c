// Thread-specific data of a thread that is there at the end.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 44/1
// valgrind: same
#include "corpus.h"

pthread_key_t key;

NOINLINE void set(void)
{
	pthread_setspecific(key, malloc(44));
}

NOINLINE void *hold(void *unused)
{
	set();
	scrub_stack();
	park();
	return unused;
}

int main(void)
{
	pthread_key_create(&key, NULL);
	start_parked(hold);
	return 0;
}
