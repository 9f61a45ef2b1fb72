/*
 * samples.c - loses 8 MiB in each of eight ways, amid ten times as much that is freed: what
 * leaks=sample estimates of each is known.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))
#define LOST_BYTES ((size_t)8 << 20)
#define NR_THREADS 64

/* No pointers. */
static void use(void *object, size_t bytes)
{
	memset(object, 0x5a, bytes);
}

static void churn(size_t nr_bytes)
{
	for (size_t done = 0; done < nr_bytes; done += 700) {
		void *a = malloc(100), *b = calloc(2, 250);

		b = realloc(b, 600);
		free(a);
		free(b);
	}
}

#define WAY(name, bytes, allocation) \
	static NOINLINE void name(void) \
	{ \
		for (size_t done = 0; done < LOST_BYTES; done += (bytes)) { \
			use(allocation, bytes); \
			churn(10 * (bytes)); \
		} \
	}

WAY(by_malloc_24, 24, malloc(24))
WAY(by_malloc_1000, 1000, malloc(1000))
WAY(by_malloc_9000, 9000, malloc(9000))
WAY(by_malloc_1m, (size_t)1 << 20, malloc((size_t)1 << 20))
WAY(by_calloc, 100, calloc(10, 10))
WAY(by_realloc, 300, realloc(malloc(20), 300))
WAY(by_memalign, 640, memalign(64, 640))

static NOINLINE void *by_thread(void *unused)
{
	for (size_t done = 0; done < LOST_BYTES / NR_THREADS; done += 64)
		use(malloc(64), 64);
	return unused;
}

/* Many, so that how they begin matters. */
static void by_threads(void)
{
	for (int i = 0; i < NR_THREADS; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, by_thread, NULL);
		pthread_join(thread, NULL);
	}
}

int main(void)
{
	by_malloc_24();
	by_malloc_1000();
	by_malloc_9000();
	by_malloc_1m();
	by_calloc();
	by_realloc();
	by_memalign();
	by_threads();
	return 0;
}
