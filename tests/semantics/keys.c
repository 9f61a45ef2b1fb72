/*
 * Programs with many thread-specific keys: pthread_setspecific allocates for keys from 32 on,
 * also in the thread's first call of all, and no destructor may be lost or called twice.
 */
#include <pthread.h>

#include "semantics/check.h"

#define NR_KEYS 200u
#define NR_THREADS 64u

static pthread_key_t keys[NR_KEYS];
static _Atomic unsigned int nr_destroyed[NR_KEYS];

struct value {
	unsigned int key;
	char text[100];
};

static void destroy(void *memory)
{
	struct value *value = memory;

	nr_destroyed[value->key]++;
	free(value);
}

/* Highest key first, so that the thread's first allocation is in pthread_setspecific. */
static void *sets_all(void *unused)
{
	static char not_allocated;

	pthread_setspecific(keys[NR_KEYS - 1], &not_allocated);
	for (unsigned int i = 0; i < NR_KEYS; i++) {
		struct value *value = malloc(sizeof(*value));

		value->key = i;
		CHECK(!pthread_setspecific(keys[i], value), "pthread_setspecific of key %u", i);
	}
	for (unsigned int i = 0; i < NR_KEYS; i++)
		CHECK(((struct value *)pthread_getspecific(keys[i]))->key == i, "key %u", i);
	return unused;
}

int main(void)
{
	for (unsigned int i = 0; i < NR_KEYS; i++)
		CHECK(!pthread_key_create(&keys[i], destroy), "pthread_key_create %u", i);
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		pthread_t thread;

		CHECK(!pthread_create(&thread, NULL, sets_all, NULL), "pthread_create");
		pthread_join(thread, NULL);
	}
	for (unsigned int i = 0; i < NR_KEYS; i++)
		CHECK(nr_destroyed[i] == NR_THREADS, "key %u was destroyed %u times of %u", i,
		      nr_destroyed[i], NR_THREADS);
	return 0;
}
