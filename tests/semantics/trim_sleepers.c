/*
 * malloc_trim releases what a thread has allocated and others have freed while it sleeps; and it
 * returns 1 when something was released.
 */
#include <pthread.h>

#include "semantics/check.h"
#include "semantics/figures.h"

#define NR 400000
#define MAX_LEFT ((size_t)16 << 20)

static char *blocks[NR];
static size_t built_bytes;
static pthread_barrier_t turn;

static void *build_and_sleep(void *unused)
{
	for (size_t i = 0; i < NR; i++) {
		size_t bytes = 16 + i % 300;

		blocks[i] = malloc(bytes);
		CHECK(blocks[i], "malloc(%zu)", bytes);
		memset(blocks[i], 1, bytes);
		built_bytes += bytes;
	}
	pthread_barrier_wait(&turn); /* built */
	pthread_barrier_wait(&turn); /* trimmed */
	for (size_t i = 0; i < NR; i++) {
		blocks[i] = malloc(16 + i % 300);
		memset(blocks[i], (int)(i % 251), 16 + i % 300);
	}
	for (size_t i = 0; i < NR; i++) {
		CHECK(all_bytes_are(blocks[i], (unsigned char)(i % 251), 16 + i % 300), "%zu", i);
		free(blocks[i]);
	}
	return unused;
}

int main(void)
{
	size_t before, after;
	pthread_t sleeper;

	memset(blocks, 1, sizeof(blocks)); /* counted before */
	before = resident_bytes();
	CHECK(!pthread_barrier_init(&turn, NULL, 2), "pthread_barrier_init");
	CHECK(!pthread_create(&sleeper, NULL, build_and_sleep, NULL), "pthread_create");
	pthread_barrier_wait(&turn);
	for (size_t i = 0; i < NR; i++)
		free(blocks[i]);
	CHECK(malloc_trim(0) == 1, "nothing was released");
	after = resident_bytes();
	CHECK(after < before + MAX_LEFT, "%zu of %zu bytes are still resident", after - before,
	      built_bytes);
	if (on_stitchmalloc()) {
		malloc_trim(0);
		CHECK(malloc_trim(0) == 0, "something was released, and there was nothing");
	}
	pthread_barrier_wait(&turn);
	pthread_join(sleeper, NULL);
	return 0;
}
