/*
 * At the limit of RLIMIT_DATA one thread frees what another has made. All of it is there again,
 * though there is no memory left to remember frees in.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "semantics/check.h"

#define LIMIT ((size_t)20 << 20)
#define NR_ROUNDS 4u
#define MAX_OBJECTS 100000u

static void *objects[MAX_OBJECTS];
static unsigned int nr_objects;

static void *frees_all(void *unused)
{
	for (unsigned int i = 0; i < nr_objects; i++)
		free(objects[i]);
	return unused;
}

static void in_a_thread(void *(*run)(void *))
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, run, NULL), "pthread_create");
	pthread_join(thread, NULL);
}

static unsigned int fill(size_t bytes)
{
	nr_objects = 0;
	while (nr_objects < MAX_OBJECTS && (objects[nr_objects] = malloc(bytes)))
		nr_objects++;
	CHECK(errno == ENOMEM && nr_objects < MAX_OBJECTS, "%u objects", nr_objects);
	return nr_objects;
}

/* What malloc could not use, it could use to remember frees in. */
static void take_the_rest(void)
{
	for (size_t bytes = LIMIT; bytes >= 4096; bytes /= 2)
		while (mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0) != MAP_FAILED)
			;
}

int main(void)
{
	static const size_t sizes[] = { 400, 2000 };
	struct rlimit limit = { LIMIT, LIMIT };

	CHECK(!setrlimit(RLIMIT_DATA, &limit), "setrlimit");
	in_a_thread(frees_all); /* its stack is kept for the next ones */
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned int nr_first = 0;

		for (unsigned int round = 0; round < NR_ROUNDS; round++) {
			unsigned int nr = fill(sizes[i]);

			take_the_rest();
			in_a_thread(frees_all);
			if (!round)
				nr_first = nr;
			CHECK(nr >= nr_first - nr_first / 100, "%u objects of %zu bytes, then %u",
			      nr_first, sizes[i], nr);
		}
		malloc_trim(0);
	}
	return 0;
}
