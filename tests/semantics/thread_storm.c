/*
 * Threads by the thousand, joined and detached, that allocate, only free, or do nothing: memory and
 * the number of thread heaps stay bounded, and what they leave to others keeps its contents.
 */
#include <pthread.h>
#include <semaphore.h>

#include "semantics/figures.h"

#define NR_ROUNDS 2500u
#define NR_AT_ONCE 4u /* threads */
#define BLOCK_BYTES 200u

static sem_t nr_running;

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

/* Makes one call only, each time another. */
static void *calls_once(void *unused)
{
	static _Atomic unsigned int nr_calls;
	void *block = NULL;

	(void)unused;
	switch (nr_calls++ % 8) {
	case 0:
		return calloc(10, 10);
	case 1:
		return realloc(NULL, 100);
	case 2:
		return memalign(64, 100);
	case 3:
		return posix_memalign(&block, 256, 1000) ? NULL : block;
	case 4:
		return malloc(3000000);
	case 5:
		malloc_trim(0);
		break;
	case 6:
		malloc_info(1, stdout);
	}
	return block;
}

static void *detached(void *block)
{
	free(block);
	sem_post(&nr_running);
	return NULL;
}

/*
 * With stacks this large libc's cache of them overflows, and a detached thread frees the storage of
 * others as the last thing it does, after all of its destructors.
 */
#define LARGE_STACK_BYTES ((size_t)16 << 20)

static void *posts(void *unused)
{
	sem_post(&nr_running);
	return unused;
}

static void start_late_freer(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	sem_wait(&nr_running);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, LARGE_STACK_BYTES);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	while (pthread_create(&thread, &attributes, posts, NULL))
		usleep(1000);
	pthread_attr_destroy(&attributes);
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
							      calls_once };
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

/* Once all threads are gone, no more heaps are held than this. */
static void heaps_held_at_most(size_t limit, const char *who)
{
	for (unsigned int i = 0; i < NR_AT_ONCE; i++)
		sem_wait(&nr_running);
	for (unsigned int i = 0; i < 3000 && figure("nr_slots_held") > limit; i++)
		usleep(10000); /* detached ones may not be through yet */
	CHECK(figure("nr_slots_held") <= limit, "%zu thread heaps are held by one thread, after %s",
	      figure("nr_slots_held"), who);
	for (unsigned int i = 0; i < NR_AT_ONCE; i++)
		sem_post(&nr_running);
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
	heaps_held_at_most(2, "threads that allocate or free");
	for (unsigned int i = 0; i < NR_ROUNDS; i++)
		start_late_freer();
	/* Who comes after its own last destructor can only be noticed later. */
	heaps_held_at_most(40, "detached threads that do nothing");
	return 0;
}
