/*
 * mempool.c - pools of include/stitch/mempool.h: the order of what is asked, waiters, many
 * threads, a child.
 */
#include "semantics/check.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel_api.h"

#define KERNEL STITCH_GFP_KERNEL

/* An allocator that has so many elements. */
static atomic_int nr_left, nr_freed;
static stitch_gfp_t flags_seen;

static void *limited_alloc(stitch_gfp_t flags, void *data)
{
	flags_seen = flags;
	if (atomic_fetch_sub(&nr_left, 1) <= 0) {
		atomic_fetch_add(&nr_left, 1);
		errno = ENOMEM;
		return NULL;
	}
	return malloc((size_t)data);
}

static void limited_free(void *element, void *data)
{
	(void)data;
	atomic_fetch_add(&nr_freed, 1);
	atomic_fetch_add(&nr_left, 1);
	free(element);
}

static struct stitch_mempool *limited_pool(int min_nr, int available)
{
	nr_left = available;
	nr_freed = 0;
	return stitch_mempool_create(min_nr, limited_alloc, limited_free, (void *)100);
}

static void creation(void)
{
	errno = 0;
	CHECK(!limited_pool(0, 5) && errno == EINVAL, "no pool without elements");
	CHECK(!limited_pool(6, 5) && errno == ENOMEM, "nor without all of them");
	CHECK(nr_left == 5, "those that it got are back: %d", nr_left);
	stitch_mempool_destroy(NULL);
}

/* First the allocator; then the pool; a free fills the pool first. */
static void order(void)
{
	struct stitch_mempool *pool = limited_pool(2, 3);
	void *element[3];

	CHECK(stitch_mempool_count(pool) == 2 && nr_left == 1, "two in it");
	element[0] = stitch_mempool_alloc(pool, KERNEL);
	CHECK(stitch_mempool_count(pool) == 2 && nr_left == 0, "from outside");
	CHECK(flags_seen & STITCH__GFP_NORETRY && flags_seen & STITCH__GFP_NOWARN &&
		      flags_seen & STITCH__GFP_NOMEMALLOC,
	      "which is not to go to its last: %x", flags_seen);
	errno = 77;
	element[1] = stitch_mempool_alloc(pool, STITCH_GFP_ATOMIC);
	element[2] = stitch_mempool_alloc(pool, KERNEL);
	CHECK(!stitch_mempool_count(pool), "from the pool");
	CHECK(errno == 77, "that it helped is no failure: errno %d", errno);
	CHECK(!stitch_mempool_alloc(pool, STITCH_GFP_ATOMIC), "NULL for who may not wait");
	CHECK(element[0] != element[1] && element[1] != element[2], "different ones");
	for (unsigned int i = 0; i < 3; i++)
		stitch_mempool_free(element[i], pool);
	CHECK(stitch_mempool_count(pool) == 2 && nr_freed == 1, "the third was freed");
	stitch_mempool_destroy(pool);
	CHECK(nr_freed == 3 && nr_left == 3, "all are");
}

static void resize(void)
{
	struct stitch_mempool *pool = limited_pool(2, 1000);

	CHECK(!stitch_mempool_resize(pool, 700) && stitch_mempool_count(pool) == 700, "more");
	CHECK(stitch_mempool_min(pool) == 700, "as asked");
	CHECK(!stitch_mempool_resize(pool, 30) && stitch_mempool_count(pool) == 30, "less");
	CHECK(nr_freed == 670, "the rest was freed: %d", nr_freed);
	CHECK(stitch_mempool_resize(pool, 0) && errno == EINVAL, "not none");
	nr_left = 5;
	errno = 77;
	CHECK(!stitch_mempool_resize(pool, 40) && stitch_mempool_count(pool) == 35, "so many");
	CHECK(errno == 77, "nor that some are missing: errno %d", errno);
	stitch_mempool_destroy(pool);
}

static void ready_made(void)
{
	struct stitch_kmem_cache *cache = stitch_kmem_cache_create("pooled", 200, 0, 0, NULL);
	struct stitch_mempool *pools[] = {
		stitch_mempool_create_slab_pool(3, cache),
		stitch_mempool_create_kmalloc_pool(3, 5000),
		stitch_mempool_create_page_pool(3, 2),
	};

	for (unsigned int i = 0; i < 3; i++) {
		void *element = stitch_mempool_alloc(pools[i], KERNEL);

		CHECK(stitch_mempool_count(pools[i]) == 3 && element, "pool %u", i);
		memset(i == 2 ? stitch_page_address(element) : element, 1, 200);
		stitch_mempool_free(element, pools[i]);
		stitch_mempool_destroy(pools[i]);
	}
	stitch_kmem_cache_destroy(cache);
}

/* --- waiters ---------------------------------------------------------------------------------- */

static struct stitch_mempool *shared;
static atomic_int nr_in_use, nr_done;

enum { NR_THREADS = 6, NR_ELEMENTS = 2, NR_ROUNDS = 20000 };

static void *worker(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		atomic_int *element = stitch_mempool_alloc(shared, KERNEL);

		CHECK(element, "never NULL");
		CHECK(atomic_fetch_add(&nr_in_use, 1) < NR_ELEMENTS, "no more than there are");
		CHECK(!atomic_exchange(element, 1), "nobody else has it");
		atomic_store(element, 0);
		atomic_fetch_sub(&nr_in_use, 1);
		stitch_mempool_free(element, shared);
	}
	atomic_fetch_add(&nr_done, 1);
	return NULL;
}

/* More threads than elements: all come to their end. */
static void waiters(void)
{
	pthread_t threads[NR_THREADS];
	void *elements[NR_ELEMENTS];

	shared = limited_pool(NR_ELEMENTS, NR_ELEMENTS);
	for (unsigned int i = 0; i < NR_ELEMENTS; i++) {
		elements[i] = stitch_mempool_alloc(shared, KERNEL);
		memset(elements[i], 0, 100);
	}
	for (unsigned int i = 0; i < NR_THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, worker, NULL), "a thread");
	usleep(50000);
	CHECK(!nr_in_use && !nr_done, "they wait");
	for (unsigned int i = 0; i < NR_ELEMENTS; i++)
		stitch_mempool_free(elements[i], shared);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK(stitch_mempool_count(shared) == NR_ELEMENTS && nr_done == NR_THREADS, "all back");
	stitch_mempool_destroy(shared);
}

/* A child finds what it can take, each once. */
static void child(void)
{
	struct stitch_mempool *pool = limited_pool(8, 8);
	int status;
	pid_t pid;

	stitch_mempool_free(stitch_mempool_alloc(pool, KERNEL), pool);
	pid = fork();
	if (!pid) {
		int nr = 0;

		while (stitch_mempool_alloc(pool, STITCH_GFP_ATOMIC))
			nr++;
		_exit(nr == 8 ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status, "the child's pool");
	CHECK(stitch_mempool_count(pool) == 8, "is not its parent's");
	stitch_mempool_destroy(pool);
}

int main(void)
{
	creation();
	order();
	resize();
	ready_made();
	waiters();
	child();
	return 0;
}
