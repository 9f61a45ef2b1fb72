/*
 * A program without faults: every C function, all kinds of objects, threads that free each other's,
 * threads that end, forks amid them. Its children end with their own report, and no error either.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "valgrind/fault.h"

#define NR_THREADS 4
#define NR_ROUNDS 150
#define NR_SHARED 64

static _Atomic(char *) shared[NR_SHARED];

/* The size stands in the first word: whoever frees an object reads all of it. */
static char *fill(void *memory, size_t bytes)
{
	char *object = memory;

	CHECK(object, "%zu bytes", bytes);
	memset(object, (char)bytes, bytes);
	memcpy(object, &bytes, sizeof(bytes));
	return object;
}

static void end(char *object)
{
	size_t bytes, usable = malloc_usable_size(object);

	if (!object)
		return;
	memcpy(&bytes, object, sizeof(bytes));
	CHECK(usable >= bytes, "%zu of %zu bytes", usable, bytes);
	CHECK(all_bytes_are(object + sizeof(bytes), (unsigned char)bytes, bytes - sizeof(bytes)),
	      "%zu bytes", bytes);
	free(object);
}

static char *make(unsigned int kind, size_t bytes)
{
	void *object = NULL;

	switch (kind % 6) {
	case 0:
		return fill(calloc(bytes / 8, 8), bytes / 8 * 8);
	case 1:
		return fill(realloc(fill(malloc(bytes / 2 + 8), bytes / 2 + 8), bytes), bytes);
	case 2:
		return fill(aligned_alloc(256, bytes / 256 * 256 + 256), bytes);
	case 3:
		CHECK(!posix_memalign(&object, 4096, bytes), "posix_memalign");
		return fill(object, bytes);
	case 4:
		return fill(reallocarray(NULL, bytes, 1), bytes);
	default:
		return fill(malloc(bytes), bytes);
	}
}

static void *work(void *argument)
{
	unsigned int seed = (unsigned int)(uintptr_t)argument;

	for (int i = 0; i < NR_ROUNDS; i++) {
		size_t most = i % 8 ? 600 : i % 16 ? 40000 : 3000000;
		size_t bytes = 16 + (size_t)rand_r(&seed) % most;
		_Atomic(char *) *place = &shared[(unsigned int)rand_r(&seed) % NR_SHARED];

		end(atomic_exchange(place, make((unsigned int)rand_r(&seed), bytes)));
	}
	return NULL;
}

static void fork_amid(void)
{
	int status;
	pid_t child = fork();

	if (!child) {
		work((void *)7);
		_exit(0);
	}
	CHECK(child > 0, "fork: %s", strerror(errno));
	CHECK(waitpid(child, &status, 0) == child && !status, "child: %#x", (unsigned int)status);
}

int main(void)
{
	pthread_t threads[NR_THREADS];

	for (uintptr_t t = 0; t < NR_THREADS; t++)
		CHECK(!pthread_create(&threads[t], NULL, work, (void *)(t + 1)), "thread");
	fork_amid();
	for (int t = 0; t < NR_THREADS; t++)
		CHECK(!pthread_join(threads[t], NULL), "join");
	fork_amid();
	for (int i = 0; i < NR_SHARED; i++)
		end(atomic_exchange(&shared[i], NULL));
	malloc_trim(0);
	return 0;
}
