/*
 * stress_threads.c - threads come and go: what they leave is freed by others and by nobody twice.
 *
 * Storm: short-lived threads, a few at a time, that leave half of their blocks in a shared pool and
 * free what others left there, living or gone; each also allocates and frees in a TLS
 * destructor, after the allocator's own may have run. Crowd: a thousand threads that are all
 * alive at once, each freeing its neighbour's blocks. Thread after thread must leave nothing
 * behind: the resident set after the last pass may not exceed that after the third by more
 * than SLACK; with several nodes by more than that for each, which has slots for the most threads
 * that were ever on it: it takes many passes until each has had most of a crowd.
 */
#include "stress.h"

#define AT_A_TIME 8
#define STORM 800  /* threads a pass */
#define CROWD 1000 /* threads at once */
#define POOL 2048
#define NR_BLOCKS 200
#define CROWD_BLOCKS 8
#define WARM_UP 3
#define SLACK MIB(8)

struct place {
	pthread_mutex_t lock;
	struct block block;
};

static struct place pool[POOL];
static pthread_key_t keys[4];
static struct block crowd[CROWD][CROWD_BLOCKS];
static pthread_barrier_t crowd_met;
static _Atomic unsigned long nr_threads;

/* A destructor that allocates, frees, and wants to be called again, twice. */
static void key_gone(void *value)
{
	static _Thread_local unsigned int nr_revivals;
	struct block block;

	stitch_free(value);
	block_new(&block, 100 + (size_t)atomic_load(&nr_threads) % 5000);
	block_free(&block);
	if (!pthread_getspecific(keys[0]) && nr_revivals++ < 2)
		pthread_setspecific(keys[0], stitch_malloc(24));
}

static void pool_exchange(struct block *block, struct rng *rng)
{
	struct place *place = &pool[rng_below(rng, POOL)];
	struct block mine = *block;

	pthread_mutex_lock(&place->lock);
	*block = place->block;
	place->block = mine;
	pthread_mutex_unlock(&place->lock);
}

static void *storm_run(void *argument)
{
	struct rng rng = { .state = (uint64_t)argument };
	struct block blocks[NR_BLOCKS];

	for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++)
		pthread_setspecific(keys[i], stitch_malloc(64 << i));
	for (unsigned int i = 0; i < NR_BLOCKS; i++)
		block_new(&blocks[i], stress_size(&rng));
	for (unsigned int i = 0; i < NR_BLOCKS / 2; i++)
		pool_exchange(&blocks[i], &rng);
	for (unsigned int i = 0; i < NR_BLOCKS; i++)
		block_free(&blocks[i]);
	atomic_fetch_add(&nr_threads, 1);
	return NULL;
}

static void storm_pass(void)
{
	pthread_t threads[AT_A_TIME];
	unsigned long seed = atomic_load(&nr_threads);

	for (unsigned int i = 0; i < STORM + AT_A_TIME; i++) {
		if (i >= AT_A_TIME)
			pthread_join(threads[i % AT_A_TIME], NULL);
		if (i < STORM)
			thread_start(&threads[i % AT_A_TIME], storm_run, (void *)(seed + i));
	}
}

static void *crowd_run(void *argument)
{
	size_t index = (size_t)argument;
	struct rng rng = { .state = index };
	struct block *mine = crowd[index];
	struct block *neighbours = crowd[(index + 1) % CROWD];

	for (unsigned int i = 0; i < CROWD_BLOCKS; i++)
		block_new(&mine[i], 1 + rng_below(&rng, 3000));
	pthread_barrier_wait(&crowd_met);
	for (unsigned int i = 0; i < CROWD_BLOCKS; i++)
		block_free(&neighbours[i]);
	pthread_barrier_wait(&crowd_met); /* nobody leaves before all have freed */
	atomic_fetch_add(&nr_threads, 1);
	return NULL;
}

static void crowd_pass(void)
{
	static pthread_t threads[CROWD];

	for (size_t i = 0; i < CROWD; i++)
		thread_start(&threads[i], crowd_run, (void *)i);
	for (size_t i = 0; i < CROWD; i++)
		pthread_join(threads[i], NULL);
}

static void pool_empty(void)
{
	for (unsigned int i = 0; i < POOL; i++)
		block_free(&pool[i].block);
}

/* Of numa_fake=. */
static size_t nr_nodes(void)
{
	const char *conf = getenv("STITCH_CONF"), *nodes = conf ? strstr(conf, "numa_fake=") : NULL;

	return nodes ? strtoul(nodes + strlen("numa_fake="), NULL, 10) : 1;
}

int main(void)
{
	double end = stress_end();
	unsigned int nr_passes = 0;
	size_t warm = 0, resident = 0;

	for (unsigned int i = 0; i < POOL; i++)
		pthread_mutex_init(&pool[i].lock, NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++)
		pthread_key_create(&keys[i], key_gone);
	pthread_barrier_init(&crowd_met, NULL, CROWD);
	while (nr_passes < WARM_UP + 1 || seconds_now() < end) {
		storm_pass();
		crowd_pass();
		pool_empty();
		stitch_malloc_trim(0);
		resident = resident_bytes();
		if (++nr_passes == WARM_UP)
			warm = resident;
	}
	expect_nothing_live();
	printf("%lu threads, resident %zu KiB after pass %d, %zu KiB after pass %u\n",
	       atomic_load(&nr_threads), warm >> 10, WARM_UP, resident >> 10, nr_passes);
	if (resident > warm + nr_nodes() * SLACK && !SANITIZED)
		die("threads leave memory behind");
	return 0;
}
