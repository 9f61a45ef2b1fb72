/*
 * A mempool behind I/O: a writer that must not stop for want of memory, since what it writes is
 * what gives memory back. However many requests are under way, the next one gets its buffer
 * sooner or later.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <stitch/mempool.h>

enum { NR_REQUESTS = 10000, NR_WRITERS = 4, MIN_NR = 2 };

struct request {
	unsigned long sector;
	char data[4000];
};

static struct stitch_mempool *requests;
static unsigned long nr_written[NR_WRITERS];

static void *writer(void *count)
{
	for (unsigned long i = 0; i < NR_REQUESTS; i++) {
		struct request *request = stitch_mempool_alloc(requests, STITCH_GFP_NOIO);

		request->sector = i; /* never NULL */
		memset(request->data, 'x', sizeof(request->data));
		++*(unsigned long *)count;
		stitch_mempool_free(request, requests); /* the I/O is done */
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[NR_WRITERS];
	unsigned long sum = 0;

	requests = stitch_mempool_create_kmalloc_pool(MIN_NR, sizeof(struct request));
	if (!requests)
		return 1;
	for (unsigned int i = 0; i < NR_WRITERS; i++)
		if (pthread_create(&threads[i], NULL, writer, &nr_written[i]))
			return 1;
	for (unsigned int i = 0; i < NR_WRITERS; i++) {
		pthread_join(threads[i], NULL);
		sum += nr_written[i];
	}
	printf("%lu requests written\n", sum);
	stitch_mempool_destroy(requests);
	return sum == NR_REQUESTS * NR_WRITERS ? 0 : 2;
}
