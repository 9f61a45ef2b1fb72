/* One thread's objects, freed by another and used by a third: the report has all three stacks. */
#include <pthread.h>

#include "valgrind/fault.h"

static char *object;

static NOINLINE void *make(void *unused)
{
	(void)unused;
	object = malloc(SMALL);
	return memset(object, 'a', SMALL);
}

static NOINLINE void *end(void *unused)
{
	free(object);
	return unused;
}

static NOINLINE void *use(void *unused)
{
	write_to(object);
	return unused;
}

int main(void)
{
	void *(*const work[])(void *) = { make, end, use };
	pthread_t thread;

	for (int i = 0; i < 3; i++) {
		CHECK(!pthread_create(&thread, NULL, work[i], NULL), "thread");
		CHECK(!pthread_join(thread, NULL), "join");
	}
	return 0;
}
