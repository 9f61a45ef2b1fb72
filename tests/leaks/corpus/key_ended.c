// Thread-specific data without a destructor, of a thread that has ended.
// expect: definite 44/1 indirect 0/0 possible 0/0 reachable 0/0
// top: work
// valgrind: same
#include "corpus.h"

pthread_key_t key;

NOINLINE void *work(void *unused)
{
	pthread_setspecific(key, malloc(44));
	return unused;
}

int main(void)
{
	pthread_key_create(&key, NULL);
	run_thread(work);
	scrub_stack();
	return 0;
}
