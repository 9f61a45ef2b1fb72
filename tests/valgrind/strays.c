/*
 * Where there is no memory for a batch the allocator links dead objects through their own words.
 * The program has done nothing wrong, and nothing is reported.
 *
 * The smallest reserve has 1 MiB for batches: 2,048 of them, each for 62 objects at most.
 */
#include <pthread.h>

#include "valgrind/fault.h"

#define NR_OBJECTS 150000

static char *objects[NR_OBJECTS];

static void *free_all(void *unused)
{
	for (int i = 0; i < NR_OBJECTS; i++)
		free(objects[i]);
	return unused;
}

int main(void)
{
	pthread_t thread;
	int nr = 0;

	while (nr < NR_OBJECTS && (objects[nr] = malloc(16)))
		nr++;
	CHECK(nr > 130000, "%d objects", nr);
	CHECK(!pthread_create(&thread, NULL, free_all, NULL), "thread");
	CHECK(!pthread_join(thread, NULL), "join");
	for (int i = 0; i < nr; i++) {
		objects[i] = malloc(16);
		CHECK(objects[i], "object %d", i);
	}
	for (int i = 0; i < nr; i++)
		free(objects[i]);
	return 0;
}
