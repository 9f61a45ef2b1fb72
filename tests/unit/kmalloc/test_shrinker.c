/*
 * test_shrinker.c - how many objects shrinkers are asked for, who calls them and who must not, and
 * that nobody is in one that has been unregistered.
 */
#include "kmalloc/shrinker.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kunit.h"
#include "isolated.h"
#include "kmalloc/gate.h"
#include "kmalloc/gfp.h"

#define MAX_CALLS 64u

/* A cache that says what it has, and notes what it is asked for. */
struct cache {
	struct stitch_shrinker shrinker;
	unsigned long nr_objects, nr_counts, nr_calls, asked[MAX_CALLS];
	unsigned long stop_at;	  /* the call that returns STITCH_SHRINK_STOP, from 1; 0: none */
	unsigned long looks_at;	  /* objects of those asked for; 0: all */
	stitch_gfp_t gfp_mask;
	void (*act)(struct cache *cache);
};

static struct cache first, second, *last_called;

static unsigned long count(struct stitch_shrinker *shrinker, struct stitch_shrink_control *control)
{
	struct cache *cache = container_of(shrinker, struct cache, shrinker);

	cache->nr_counts++;
	cache->gfp_mask = control->gfp_mask;
	return cache->nr_objects;
}

/* Keeps all that it has, so that sums stay simple, and says that it has freed one a call. */
static unsigned long scan(struct stitch_shrinker *shrinker, struct stitch_shrink_control *control)
{
	struct cache *cache = container_of(shrinker, struct cache, shrinker);

	EXPECT_EQ(control->nr_scanned, control->nr_to_scan);
	if (cache->nr_calls < MAX_CALLS)
		cache->asked[cache->nr_calls] = control->nr_to_scan;
	cache->nr_calls++;
	last_called = cache;
	if (cache->act)
		cache->act(cache);
	if (cache->looks_at)
		control->nr_scanned = cache->looks_at;
	return cache->nr_calls == cache->stop_at ? STITCH_SHRINK_STOP : 1;
}

static void put_up(struct cache *cache, unsigned long nr_objects)
{
	memset(cache, 0, sizeof(*cache));
	cache->shrinker.count_objects = count;
	cache->shrinker.scan_objects = scan;
	cache->shrinker.seeks = STITCH_DEFAULT_SEEKS;
	cache->nr_objects = nr_objects;
	ASSERT(!shrinker_register(&cache->shrinker));
}

static void cache_up(unsigned long nr_objects)
{
	heap_up("");
	kfree(kmalloc(100));
	put_up(&first, nr_objects);
}

/* --- how many --------------------------------------------------------------------------------- */

ISOLATED_TEST(a_share_by_priority_in_batches)
{
	cache_up(10000);
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 6), 2); /* 10000 >> 6, x 4 / 2: 312 */
	EXPECT_EQ(first.nr_calls, 2);
	EXPECT_EQ(first.asked[0], STITCH_SHRINK_BATCH);
	EXPECT_EQ(first.asked[1], STITCH_SHRINK_BATCH);
	EXPECT_EQ(first.shrinker.nr_deferred, 312 - 256);
	EXPECT_EQ(first.gfp_mask, STITCH_GFP_KERNEL);
}

ISOLATED_TEST(less_than_a_batch_waits)
{
	cache_up(10000);
	for (unsigned int nr = 1; nr <= 3; nr++) {
		EXPECT_EQ(shrink_slab(STITCH_GFP_NOFS, 12), 0); /* 10000 >> 12, x 4 / 2: 4 */
		EXPECT_EQ(first.shrinker.nr_deferred, 4 * nr);
	}
	EXPECT_EQ(first.nr_calls, 0);
	EXPECT_EQ(first.gfp_mask, STITCH_GFP_NOFS);
	first.shrinker.nr_deferred = 1000;
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 2), 41); /* (1000 >> 2) + 5000 */
	EXPECT_EQ(first.asked[40], STITCH_SHRINK_BATCH);
	EXPECT_EQ(first.shrinker.nr_deferred, 1000 + 5000 - 41 * STITCH_SHRINK_BATCH);
}

ISOLATED_TEST(at_the_last_all_that_there_is)
{
	cache_up(50);
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 1), 1); /* 25 x 2: all of them, in one batch */
	EXPECT_EQ(first.asked[0], 50);
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 0), 1);
	EXPECT_EQ(first.asked[1], 100); /* twice: by the kernel's rule no more */
	EXPECT_EQ(first.shrinker.nr_deferred, 0);
}

ISOLATED_TEST(batches_and_seeks_of_its_own)
{
	cache_up(1000);
	first.shrinker.batch = 10;
	first.shrinker.seeks = 8;
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 2), 12); /* 250 x 4 / 8: 125 */
	EXPECT_EQ(first.asked[11], 10);
	first.shrinker.nr_deferred = 0;
	first.shrinker.batch = 0;
	first.shrinker.seeks = 0;
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 12), 3); /* half of them, whatever the priority */
}

ISOLATED_TEST(none_are_none)
{
	cache_up(0);
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 0), 0);
	first.nr_objects = STITCH_SHRINK_EMPTY;
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 0), 0);
	first.nr_objects = (unsigned long)-1;
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 0), 0);
	EXPECT_EQ(first.nr_counts, 3);
	EXPECT_EQ(first.nr_calls, 0);
}

ISOLATED_TEST(who_stops_is_not_asked_on)
{
	cache_up(10000);
	first.stop_at = 2;
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 6), 1);
	EXPECT_EQ(first.nr_calls, 2);
	EXPECT_EQ(first.shrinker.nr_deferred, 312 - 128);
}

/* It may look at more than it was asked to, or at none. */
ISOLATED_TEST(who_says_what_it_has_looked_at_is_believed)
{
	cache_up(10000);
	first.looks_at = 300;
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 6), 1);
	EXPECT_EQ(first.shrinker.nr_deferred, 12);
	first.looks_at = 1000;
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 6), 1);
	EXPECT_EQ(first.shrinker.nr_deferred, 0);
}

/* --- which ------------------------------------------------------------------------------------ */

ISOLATED_TEST(each_in_the_order_of_registration)
{
	cache_up(128);
	put_up(&second, 128);
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 1), 2);
	EXPECT_EQ(first.nr_calls, 1);
	EXPECT(last_called == &second);
	EXPECT(!shrinker_unregister(&first.shrinker));
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 1), 1);
	EXPECT_EQ(second.nr_calls, 2);
	EXPECT(!shrinker_unregister(&second.shrinker));
	EXPECT_EQ(nr_shrinkers, 0);
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 1), 0);
}

ISOLATED_TEST(what_is_no_shrinker_is_refused)
{
	struct stitch_shrinker none = { .count_objects = count };

	cache_up(1);
	EXPECT_EQ(shrinker_register(NULL), -EINVAL);
	EXPECT_EQ(shrinker_register(&none), -EINVAL);
	EXPECT_EQ(shrinker_register(&first.shrinker), -EINVAL);
	EXPECT(!shrinker_unregister(NULL));
	EXPECT(!shrinker_unregister(&none));
	EXPECT_EQ(nr_shrinkers, 1);
	EXPECT(!shrinker_unregister(&first.shrinker));
	EXPECT(!shrinker_unregister(&first.shrinker));
	EXPECT(!shrinker_register(&first.shrinker));
}

ISOLATED_TEST(not_while_another_thread_forks)
{
	cache_up(128);
	gate.closed_by = 64;
	EXPECT_EQ(shrinker_register(&first.shrinker), -EAGAIN);
	EXPECT_EQ(shrinker_unregister(&first.shrinker), -EAGAIN);
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 0), 0);
	gate.closed_by = 0;
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 1), 1);
	EXPECT(!shrinker_unregister(&first.shrinker));
}

static void call_another(struct cache *cache)
{
	(void)cache;
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 0), 0);
	EXPECT_EQ(gfp_depth(STITCH_GFP_NOWAIT), RESERVE_ALL);
	kfree(kmalloc(5000));
}

ISOLATED_TEST(not_in_a_shrinker)
{
	cache_up(128);
	first.act = call_another;
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 1), 1);
	EXPECT_EQ(first.nr_counts, 1);
	EXPECT_EQ(gfp_depth(STITCH_GFP_NOWAIT), RESERVE_NOWAIT);
}

ISOLATED_TEST(not_amid_a_slow_path)
{
	gate_pass *pass;

	cache_up(128);
	pass = gate_enter();
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 0), 0);
	gate_leave(pass);
	EXPECT_EQ(first.nr_counts, 0);
}

/* --- until they are gone ---------------------------------------------------------------------- */

static _Atomic bool is_in, may_leave, is_gone;

static void dwell(struct cache *cache)
{
	(void)cache;
	is_in = true;
	while (!may_leave)
		sched_yield();
}

static void *shrink_in_thread(void *unused)
{
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 1), 1);
	mm_thread_exit();
	return unused;
}

static void *unregister_in_thread(void *unused)
{
	EXPECT(!shrinker_unregister(&first.shrinker));
	is_gone = true;
	mm_thread_exit();
	return unused;
}

static void thread_up(pthread_t *thread, void *(*run)(void *))
{
	ASSERT(!pthread_create(thread, NULL, run, NULL));
}

static void dwell_in_thread(pthread_t *thread)
{
	cache_up(128);
	first.act = dwell;
	thread_up(thread, shrink_in_thread);
	while (!is_in)
		sched_yield();
}

ISOLATED_TEST(who_unregisters_waits_for_those_who_are_in_it)
{
	pthread_t dweller, leaver;

	dwell_in_thread(&dweller);
	thread_up(&leaver, unregister_in_thread);
	while (READ_ONCE(first.shrinker.state) == 1)
		sched_yield();
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 1), 0); /* it is leaving */
	for (unsigned int i = 0; i < 100; i++)
		sched_yield();
	EXPECT(!is_gone);
	may_leave = true;
	pthread_join(dweller, NULL);
	pthread_join(leaver, NULL);
	EXPECT(is_gone);
	EXPECT_EQ(nr_shrinkers, 0);
}

static void in_child(void (*body)(void))
{
	int status = -1;
	pid_t child;

	mm_fork_prepare();
	child = fork();
	if (!child) {
		mm_fork_child();
		alarm(20);
		body();
		_exit(kunit.nr_failed_checks != 0);
	}
	mm_fork_parent();
	waitpid(child, &status, 0);
	EXPECT_EQ(status, 0);
}

static void expect_not_in_use(void)
{
	EXPECT(!shrinker_unregister(&first.shrinker));
}

/* The thread that is in it is not there. */
ISOLATED_TEST(a_child_waits_for_nobody)
{
	pthread_t dweller;

	dwell_in_thread(&dweller);
	in_child(expect_not_in_use);
	may_leave = true;
	pthread_join(dweller, NULL);
	EXPECT(!shrinker_unregister(&first.shrinker));
}

static pid_t child;

static void fork_in_it(struct cache *cache)
{
	(void)cache;
	mm_fork_prepare();
	child = fork();
	if (child)
		mm_fork_parent();
	else
		mm_fork_child();
}

/* Both go on, and call it again. */
ISOLATED_TEST(who_forks_in_it_comes_to_its_end)
{
	int status = -1;

	cache_up(128);
	first.act = fork_in_it;
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 1), 1);
	EXPECT_EQ(first.shrinker.users & UINT32_MAX, 0);
	first.act = NULL;
	EXPECT_EQ(shrink_slab(STITCH_GFP_KERNEL, 1), 1);
	EXPECT_EQ(first.shrinker.users & UINT32_MAX, 0);
	if (!child)
		_exit(kunit.nr_failed_checks != 0);
	waitpid(child, &status, 0);
	EXPECT_EQ(status, 0);
}

/* --- before an allocation fails --------------------------------------------------------------- */

static unsigned int nr_helps(stitch_gfp_t flags, size_t bytes)
{
	unsigned int nr_tries = 1, nr = 0;

	while (nr < 100 && shrinkers_help(flags, bytes, &nr_tries))
		nr++;
	return nr;
}

ISOLATED_TEST(each_priority_once)
{
	heap_up("");
	kfree(kmalloc(100));
	EXPECT_EQ(nr_helps(STITCH_GFP_KERNEL, 100), 0);
	put_up(&first, 1000000);
	EXPECT_EQ(nr_helps(STITCH_GFP_KERNEL, 100), STITCH_DEF_PRIORITY + 1);
	EXPECT_EQ(first.nr_counts, STITCH_DEF_PRIORITY + 1);
	first.nr_objects = 0;
	EXPECT_EQ(nr_helps(STITCH_GFP_KERNEL, 100), 0);
	EXPECT_EQ(first.nr_counts, 2 * (STITCH_DEF_PRIORITY + 1));
}

ISOLATED_TEST(not_for_more_than_there_ever_was)
{
	cache_up(1000000);
	EXPECT_EQ(nr_helps(STITCH_GFP_KERNEL, GIB(1)), 0);
	EXPECT_EQ(first.nr_counts, 0);
}

/* Of those who could not ask, or get an answer, each waits a while, and then passes it over. */
ISOLATED_TEST(who_is_in_the_way_is_waited_for)
{
	cache_up(1000000);
	first.stop_at = 1;
	EXPECT_EQ(nr_helps(STITCH_GFP_KERNEL, 100), STITCH_DEF_PRIORITY + 1 + 1);
	EXPECT_EQ(os_fake_calls(OS_CALL_NAP), 1);
	first.nr_calls = 0;
	gate.closed_by = 64;
	EXPECT_EQ(nr_helps(STITCH_GFP_KERNEL, 100), 50);
	EXPECT_EQ(first.nr_calls, 0);
	gate.closed_by = 0;
}

/* --- before a limit is met -------------------------------------------------------------------- */

ISOLATED_TEST(a_crowd_is_relieved_harder_and_harder)
{
	cache_up(128 << STITCH_DEF_PRIORITY);
	os_fake_clock_set(100000);
	for (unsigned int i = 1; i <= 4; i++) {
		os_fake_clock_advance(25);
		shrinkers_relieve(STITCH_GFP_KERNEL);
		EXPECT_EQ(first.nr_counts, i);
		shrinkers_relieve(STITCH_GFP_KERNEL); /* it was done just now */
		EXPECT_EQ(first.nr_counts, i);
	}
	EXPECT_EQ(first.nr_calls, 2 + 4 + 8 + 16);
	os_fake_clock_advance(6000);
	shrinkers_relieve(STITCH_GFP_KERNEL);
	EXPECT_EQ(first.nr_calls, 2 + 4 + 8 + 16 + 2);
}

/* In vain: it is no reason to be harder. */
ISOLATED_TEST(who_is_not_asked_makes_no_hurry)
{
	cache_up(128 << STITCH_DEF_PRIORITY);
	os_fake_clock_set(100000);
	gate.closed_by = 64;
	shrinkers_relieve(STITCH_GFP_KERNEL);
	gate.closed_by = 0;
	gfp_scope = GFP_SCOPE_NO_SHRINKERS;
	os_fake_clock_advance(25);
	shrinkers_relieve(STITCH_GFP_KERNEL);
	EXPECT_EQ(first.nr_counts, 0);
	gfp_scope = 0;
	shrinkers_relieve(STITCH_GFP_NOFS);
	EXPECT_EQ(first.nr_calls, 2);
	EXPECT_EQ(first.gfp_mask, STITCH_GFP_NOFS);
}

/* Of little only a large share is anything. */
ISOLATED_TEST(a_crowd_gets_what_there_is)
{
	cache_up(20);
	first.shrinker.batch = 10;
	os_fake_clock_set(100000);
	shrinkers_relieve(STITCH_GFP_KERNEL);
	EXPECT_EQ(first.nr_calls, 1);
	EXPECT_EQ(first.asked[0], 10); /* 20 >> 2, x 2 */
	first.nr_objects = 0;
	os_fake_clock_advance(25);
	shrinkers_relieve(STITCH_GFP_KERNEL);
	EXPECT_EQ(first.nr_counts, 11 + 2);
}

RUN_TESTS
