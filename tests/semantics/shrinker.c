/*
 * Shrinkers (stitch/shrinker.h) under limit= and soft_limit=: what a program keeps for later is
 * there as long as there is room, and no allocation fails for it.
 */
#include <pthread.h>

#include "kernel_api.h"
#include "semantics/again.h"

#define BLOCK_BYTES ((size_t)64 << 10)
#define MIB(n) ((size_t)(n) << 20)

/* A cache of blocks that nobody needs. */
static struct {
	struct stitch_shrinker shrinker;
	pthread_mutex_t lock;
	void *blocks[1000];
	_Atomic unsigned long nr_blocks, nr_freed, nr_counts;
	pthread_t counted_by;
	stitch_gfp_t gfp_mask;
	bool allocates;
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

static unsigned long cache_count(struct stitch_shrinker *shrinker,
				 struct stitch_shrink_control *control)
{
	(void)shrinker;
	cache.gfp_mask = control->gfp_mask;
	cache.nr_counts++;
	cache.counted_by = pthread_self();
	return cache.nr_blocks;
}

static unsigned long cache_scan(struct stitch_shrinker *shrinker,
				struct stitch_shrink_control *control)
{
	unsigned long nr_freed = 0;

	(void)shrinker;
	if (pthread_mutex_trylock(&cache.lock))
		return STITCH_SHRINK_STOP;
	pthread_testcancel(); /* as close() is, say */
	while (cache.nr_blocks && nr_freed < control->nr_to_scan) {
		free(cache.blocks[--cache.nr_blocks]);
		nr_freed++;
	}
	cache.nr_freed += nr_freed;
	if (cache.allocates)
		CHECK(!malloc(MIB(50)), "there is room for that much");
	errno = EBADMSG;
	pthread_mutex_unlock(&cache.lock);
	return nr_freed;
}

static void cache_fill(size_t bytes)
{
	cache.nr_freed = 0;
	cache.gfp_mask = 0;
	while (cache.nr_blocks < bytes / BLOCK_BYTES) {
		void *block = malloc(BLOCK_BYTES);

		CHECK(block, "%lu blocks of the cache", cache.nr_blocks);
		cache.blocks[cache.nr_blocks++] = block;
	}
}

static void cache_up(size_t bytes)
{
	memset(&cache.shrinker, 0, sizeof(cache.shrinker));
	cache.shrinker.count_objects = cache_count;
	cache.shrinker.scan_objects = cache_scan;
	cache.shrinker.seeks = STITCH_DEFAULT_SEEKS;
	cache.shrinker.batch = 16;
	CHECK(!stitch_register_shrinker(&cache.shrinker), "register");
	cache_fill(bytes);
}

static void cache_down(void)
{
	CHECK(!stitch_unregister_shrinker(&cache.shrinker), "unregister");
	while (cache.nr_blocks)
		free(cache.blocks[--cache.nr_blocks]);
}

/* There was no room for it, and there is; errno is no business of the shrinker's. */
static void expect_room(const char *how, void *block)
{
	CHECK(block, "%s: no memory", how);
	CHECK(errno == ENOTTY, "%s: errno is %d", how, errno);
	CHECK(cache.nr_freed && cache.gfp_mask == STITCH_GFP_KERNEL, "%s: %lu blocks freed", how,
	      (unsigned long)cache.nr_freed);
	free(block);
	cache_fill(MIB(50));
	errno = ENOTTY;
}

static void every_entry_point(void)
{
	void *block = NULL;
	char *grows;

	errno = ENOTTY;
	expect_room("malloc", malloc(MIB(30)));
	expect_room("calloc", calloc(1, MIB(30)));
	expect_room("memalign", memalign(4096, MIB(30)));
	expect_room("posix_memalign", posix_memalign(&block, 64, MIB(30)) ? NULL : block);
	grows = malloc(MIB(1));
	memset(grows, 7, MIB(1));
	errno = ENOTTY;
	grows = realloc(grows, MIB(30));
	CHECK(grows && grows[0] == 7 && grows[MIB(1) - 1] == 7, "realloc: contents");
	expect_room("realloc", grows);
	expect_room("kmalloc", stitch_kmalloc(MIB(30), STITCH_GFP_KERNEL));
	expect_room("vmalloc", stitch_vmalloc(MIB(30)));
}

/* Small ones, too: more of them than there is room for. */
static void small_blocks(void)
{
	static void *small[20000];

	for (unsigned int i = 0; i < 20000; i++) {
		small[i] = malloc(1500);
		CHECK(small[i], "%u small blocks", i);
	}
	CHECK(cache.nr_freed, "nothing was freed for small blocks");
	for (unsigned int i = 0; i < 20000; i++)
		free(small[i]);
	cache_fill(MIB(50));
}

/* As the flags have it. */
static void flags(void)
{
	void *block;

	CHECK(!stitch_kmalloc(MIB(30), STITCH_GFP_KERNEL | STITCH__GFP_NORETRY |
					       STITCH__GFP_NOWARN) && !cache.nr_freed,
	      "NORETRY called a shrinker");
	CHECK(!stitch_kmalloc(MIB(1), STITCH_GFP_NOWAIT) && !cache.nr_freed,
	      "NOWAIT called a shrinker");
	block = stitch_kmalloc(MIB(30), STITCH_GFP_NOFS);
	CHECK(block && cache.gfp_mask == STITCH_GFP_NOFS, "the mask is %#x", cache.gfp_mask);
	stitch_kfree(block);
	cache_fill(MIB(50));
}

/* What nobody could give is not asked for, and a shrinker that cannot is passed over. */
static void in_vain(void)
{
	CHECK(!malloc(MIB(1000)) && errno == ENOMEM && !cache.nr_freed, "a cache for nothing");
	pthread_mutex_lock(&cache.lock);
	CHECK(!malloc(MIB(30)) && errno == ENOMEM && !cache.nr_freed, "its lock is held");
	pthread_mutex_unlock(&cache.lock);
	cache.allocates = true;
	errno = ENOTTY;
	expect_room("malloc amid a shrinker's", malloc(MIB(30)));
	cache.allocates = false;
}

static void *allocates_and_frees(void *unused)
{
	for (unsigned int i = 0; i < 200; i++) {
		void *block = malloc(MIB(2));

		CHECK(block, "another thread was in the way");
		memset(block, 1, 4096);
		free(block);
	}
	return unused;
}

/* Several threads want memory at a time, while others come and go. */
static void from_threads(void)
{
	pthread_t threads[4];
	struct stitch_shrinker passing = cache.shrinker;

	memset(&passing.next, 0, sizeof(passing) - offsetof(struct stitch_shrinker, next));
	for (unsigned int i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, allocates_and_frees, NULL), "thread");
	for (unsigned int i = 0; i < 100; i++) {
		CHECK(!stitch_register_shrinker(&passing), "register");
		CHECK(!stitch_unregister_shrinker(&passing), "unregister");
	}
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	cache_fill(MIB(30));
}

static void *allocates_cancelled(void *unused)
{
	void *block;

	(void)unused;
	pthread_cancel(pthread_self());
	block = malloc(MIB(30));
	CHECK(block && cache.nr_freed, "no room was made");
	free(block);
	pthread_testcancel();
	return NULL;
}

/* malloc is no cancellation point, whatever shrinkers call. */
static void cancelled(void)
{
	pthread_t thread;
	void *result;

	CHECK(!pthread_create(&thread, NULL, allocates_cancelled, NULL), "thread");
	pthread_join(thread, &result);
	CHECK(result == PTHREAD_CANCELED, "it was not cancelled afterwards");
	cache_fill(MIB(50));
}

static void in_a_child(void)
{
	int status;
	pid_t child = fork();

	if (!child) {
		void *block = malloc(MIB(30));

		CHECK(block && cache.nr_freed, "a child has no shrinkers");
		free(block);
		cache_down();
		CHECK(!malloc(MIB(65)), "without a shrinker, and above the limit");
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "the child's status is %#x", status);
}

static void limited(void)
{
	cache_up(MIB(50));
	every_entry_point();
	small_blocks();
	flags();
	in_vain();
	cancelled();
	in_a_child();
	from_threads();
	cache_down();
}

/* Nobody fails, and the cache goes; by the background thread, if there shall be one. */
static void softly_limited(bool by_thread)
{
	cache.nr_counts = 0;
	cache_up(MIB(10));
	for (unsigned int i = 0; i < 200 && cache.nr_blocks; i++) {
		struct timespec pause = { .tv_nsec = 5000000 };
		void *block = malloc(MIB(16));

		CHECK(block, "a soft limit is no limit");
		free(block);
		free(malloc(20000 + i * 100));
		nanosleep(&pause, NULL);
	}
	CHECK(cache.nr_freed, "the cache has all its blocks");
	/* Harder and harder: a 4096th of them is none, and so at first. */
	CHECK(cache.nr_counts > 4, "all at once: %lu attempts", (unsigned long)cache.nr_counts);
	CHECK(!pthread_equal(cache.counted_by, pthread_self()) == by_thread, "who has asked?");
	cache_down();
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		if (!strncmp(argv[1], "limit", 5))
			limited();
		else
			softly_limited(strstr(argv[1], "thread"));
		return 0;
	}
	CHECK(on_stitchmalloc(), "this test is about stitchmalloc's functions");
	run_with_options("limit=64M");
	run_with_options("limit=64M,leaks=sample:1M");
	run_with_options("limit=64M,hardened=1");
	run_with_options("soft_limit=20M");
	run_with_options("soft_limit=20M,retain=1M,background_thread=1");
	return 0;
}
