/*
 * Threads by the thousand, joined and detached, that allocate, only free, or do nothing: memory and
 * the number of thread heaps stay bounded, and what they leave to others keeps its contents.
 */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>

#include "semantics/check.h"

#define NR_ROUNDS 2500u
#define NR_AT_ONCE 4u
#define BLOCK_BYTES 200u

static sem_t nr_running;

static size_t resident_bytes(void)
{
	char text[128] = "";
	int fd = open("/proc/self/statm", O_RDONLY);
	unsigned long total, resident;

	CHECK(read(fd, text, sizeof(text) - 1) > 0, "/proc/self/statm");
	close(fd);
	CHECK(sscanf(text, "%lu %lu", &total, &resident) == 2, "/proc/self/statm: %s", text);
	return resident * 4096;
}

/* A figure of malloc_info; 0 under another allocator. */
static size_t figure(const char *name)
{
	char text[16384], pattern[64];
	FILE *file = tmpfile();
	const char *found;
	size_t value = 0;

	CHECK(file && !malloc_info(0, file), "malloc_info");
	rewind(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	snprintf(pattern, sizeof(pattern), "\"%s\" value=\"", name);
	found = strstr(text, pattern);
	CHECK(found || !on_stitchmalloc(), "malloc_info has no %s", name);
	if (found)
		sscanf(found + strlen(pattern), "%zu", &value);
	return value;
}

static void *allocates(void *unused)
{
	void *blocks[40];

	(void)unused;
	for (unsigned int i = 0; i < 40; i++)
		memset(blocks[i] = malloc(i * i * 20 + 1), 1, i * i * 20 + 1);
	for (unsigned int i = 0; i < 39; i++)
		free(blocks[i]);
	return blocks[39];
}

/* Its only call of the heap is a free of somebody else's block. */
static void *frees(void *block)
{
	free(block);
	return NULL;
}

static void *does_nothing(void *unused)
{
	return unused;
}

static void *detached(void *block)
{
	free(block);
	sem_post(&nr_running);
	return NULL;
}

static pthread_t started(void *(*body)(void *), void *argument)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, body, argument);

	CHECK(!error, "pthread_create: %s", strerror(error));
	return thread;
}

static void *filled_block(void)
{
	return memset(malloc(BLOCK_BYTES), 0x66, BLOCK_BYTES);
}

static void round_of_threads(void)
{
	static void *(*const bodies[NR_AT_ONCE])(void *) = { allocates, allocates, frees,
							      does_nothing };
	pthread_t threads[NR_AT_ONCE];
	void *kept = filled_block(), *left;

	for (unsigned int i = 0; i < NR_AT_ONCE; i++)
		threads[i] = started(bodies[i], bodies[i] == frees ? filled_block() : NULL);
	for (unsigned int i = 0; i < NR_AT_ONCE; i++) {
		pthread_join(threads[i], &left);
		free(left);
	}
	CHECK(all_bytes_are(kept, 0x66, BLOCK_BYTES), "a block was overwritten");
	free(kept);
}

static void detached_threads(void)
{
	for (unsigned int i = 0; i < NR_AT_ONCE; i++)
		sem_wait(&nr_running);
	for (unsigned int i = 0; i < NR_AT_ONCE; i++)
		pthread_detach(started(detached, filled_block()));
}

int main(void)
{
	size_t before, after, nr_slots_before, nr_slots_after;

	CHECK(!sem_init(&nr_running, 0, NR_AT_ONCE), "sem_init");
	for (unsigned int i = 0; i < 100; i++) {
		round_of_threads();
		detached_threads();
	}
	before = resident_bytes();
	nr_slots_before = figure("nr_slots");
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		round_of_threads();
		detached_threads();
	}
	after = resident_bytes();
	nr_slots_after = figure("nr_slots");
	CHECK(after < before + ((size_t)8 << 20), "resident memory grew from %zu to %zu over %u "
	      "threads", before, after, NR_ROUNDS * NR_AT_ONCE * 2);
	/* A detached thread may still hold its heap while its successor starts. */
	CHECK(nr_slots_after <= nr_slots_before + 4 * NR_AT_ONCE,
	      "thread heaps grew from %zu to %zu", nr_slots_before, nr_slots_after);
	for (unsigned int i = 0; i < NR_AT_ONCE; i++)
		sem_wait(&nr_running);
	usleep(100000);
	CHECK(figure("nr_slots_held") <= 2, "%zu thread heaps are held by one thread",
	      figure("nr_slots_held"));
	return 0;
}
