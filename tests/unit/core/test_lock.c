/*
 * test_lock.c - exclusion, sleeping and waking, the ranks, and what the forking thread may do.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "core/lock.h"
#include "fake/os_fake.h"
#include "kunit.h"

#define NR_THREADS 4
#define NR_ROUNDS 50000

static void acquire_and_release(enum lock_rank rank)
{
	lock_acquire(rank);
	lock_release(rank);
}

static void take_each(void)
{
	for (unsigned int rank = 0; rank < NR_LOCK_RANKS; rank++)
		acquire_and_release((enum lock_rank)rank);
}

TEST(nobody_waits_nobody_calls_the_kernel)
{
	os_fake_reset();
	take_each();
	EXPECT_EQ(os_fake_calls(OS_CALL_ANY), 0);
}

/* Not atomic: only the lock keeps the threads from losing increments. */
static volatile unsigned long counter;

static void *count_up(void *unused)
{
	(void)unused;
	for (int i = 0; i < NR_ROUNDS; i++) {
		lock_acquire(LOCK_ZONE);
		counter = counter + 1;
		lock_release(LOCK_ZONE);
	}
	return NULL;
}

static void count_in_threads(void)
{
	pthread_t threads[NR_THREADS];

	counter = 0;
	for (int i = 0; i < NR_THREADS; i++)
		ASSERT(!pthread_create(&threads[i], NULL, count_up, NULL));
	for (int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(counter, NR_THREADS * NR_ROUNDS);
}

TEST(one_thread_at_a_time)
{
	os_fake_reset();
	count_in_threads();
}

TEST(a_sleep_that_is_interrupted_is_no_acquisition)
{
	os_fake_reset();
	os_fake_fail(OS_CALL_FUTEX_WAIT, 1, UINT_MAX, EINTR);
	count_in_threads();
}

static _Atomic bool entered;

static void *enter_zone(void *unused)
{
	(void)unused;
	lock_acquire(LOCK_ZONE);
	entered = true;
	lock_release(LOCK_ZONE);
	return NULL;
}

static void wait_for_sleepers(unsigned int nr_sleepers)
{
	while (os_fake_calls(OS_CALL_FUTEX_WAIT) < nr_sleepers)
		sched_yield();
}

TEST(a_sleeper_is_woken)
{
	pthread_t thread;

	os_fake_reset();
	entered = false;
	lock_acquire(LOCK_ZONE);
	ASSERT(!pthread_create(&thread, NULL, enter_zone, NULL));
	wait_for_sleepers(1);
	EXPECT(!entered);
	lock_release(LOCK_ZONE);
	pthread_join(thread, NULL);
	EXPECT(entered);
	EXPECT(os_fake_calls(OS_CALL_FUTEX_WAKE) >= 1);
}

TEST(all_sleepers_are_woken)
{
	pthread_t threads[NR_THREADS];

	os_fake_reset();
	lock_acquire(LOCK_ZONE);
	for (int i = 0; i < NR_THREADS; i++)
		ASSERT(!pthread_create(&threads[i], NULL, enter_zone, NULL));
	wait_for_sleepers(NR_THREADS);
	lock_release(LOCK_ZONE);
	for (int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* --- ranks ------------------------------------------------------------------------------- */

static void acquire_two(enum lock_rank first, enum lock_rank second)
{
	lock_acquire(first);
	lock_acquire(second);
}

/* A lock in the middle is released before the last one. */
static void acquire_below_what_is_left(void)
{
	acquire_two(LOCK_SLOTS, LOCK_MEMBLOCK);
	lock_release(LOCK_SLOTS);
	lock_acquire(LOCK_ZONE);
}

TEST(locks_are_taken_by_rank)
{
	acquire_two(LOCK_SLOTS, LOCK_MEMBLOCK);
	lock_release(LOCK_SLOTS);
	lock_release(LOCK_MEMBLOCK);
	acquire_two(LOCK_BOOT, LOCK_SHARED_SLOT);
	lock_release(LOCK_SHARED_SLOT);
	acquire_and_release(LOCK_BARN);
	lock_release(LOCK_BOOT);
	take_each();
}

/* A build without CONFIG_DEBUG checks nothing and says so: every lock counts as held. */
TEST(the_wrong_order_is_a_bug_in_debug_builds)
{
	if (!CONFIG_DEBUG) {
		acquire_two(LOCK_MEMBLOCK, LOCK_ZONE);
		lock_release(LOCK_ZONE);
		lock_release(LOCK_MEMBLOCK);
		return;
	}
	EXPECT_DEATH(acquire_two(LOCK_MEMBLOCK, LOCK_ZONE), "BUG at lock.c");
	EXPECT_DEATH(acquire_two(LOCK_SHARED_SLOT, LOCK_BOOT), "BUG at lock.c");
	EXPECT_DEATH(acquire_below_what_is_left(), "BUG at lock.c");
	EXPECT_DEATH(lock_release(LOCK_ZONE), "BUG at lock.c");
}

TEST(who_holds_what)
{
	EXPECT_EQ(lock_is_held(LOCK_ZONE), !CONFIG_DEBUG);
	lock_acquire(LOCK_ZONE);
	EXPECT(lock_is_held(LOCK_ZONE));
	EXPECT_EQ(lock_is_held(LOCK_BARN), !CONFIG_DEBUG);
	lock_release(LOCK_ZONE);
	EXPECT_EQ(lock_is_held(LOCK_ZONE), !CONFIG_DEBUG);
}

/* --- fork --------------------------------------------------------------------------------- */

TEST(the_forker_holds_every_lock_and_takes_them_again)
{
	os_fake_reset();
	lock_all_for_fork();
	for (unsigned int rank = 0; rank < NR_LOCK_RANKS; rank++)
		EXPECT(lock_is_held((enum lock_rank)rank));
	lock_acquire(LOCK_ZONE);
	lock_acquire(LOCK_BOOT); /* no order either: nothing is taken */
	lock_release(LOCK_ZONE);
	lock_release(LOCK_BOOT);
	lock_release_all();
	EXPECT_EQ(lock_is_held(LOCK_ZONE), !CONFIG_DEBUG);
	take_each();
	EXPECT_EQ(os_fake_calls(OS_CALL_ANY), 0);
}

TEST(a_release_in_the_forker_lets_nobody_in)
{
	pthread_t thread;

	os_fake_reset();
	entered = false;
	lock_all_for_fork();
	acquire_and_release(LOCK_ZONE);
	ASSERT(!pthread_create(&thread, NULL, enter_zone, NULL));
	wait_for_sleepers(1);
	acquire_and_release(LOCK_ZONE);
	EXPECT(!entered);
	lock_release_all();
	pthread_join(thread, NULL);
	EXPECT(entered);
}

/* In the child of lock_all_for_fork, with another thread asleep in the parent. */
static int child_of_fork(void)
{
	pthread_t thread;

	acquire_and_release(LOCK_ZONE);
	lock_reset_all();
	if (lock_is_held(LOCK_ZONE) != !CONFIG_DEBUG)
		return 1;
	take_each();
	entered = false;
	if (pthread_create(&thread, NULL, enter_zone, NULL))
		return 2;
	pthread_join(thread, NULL);
	return entered ? 0 : 3;
}

TEST(the_child_starts_with_free_locks)
{
	pthread_t thread;
	int status = -1;
	pid_t child;

	os_fake_reset();
	lock_all_for_fork();
	ASSERT(!pthread_create(&thread, NULL, enter_zone, NULL));
	wait_for_sleepers(1);
	child = fork();
	if (!child)
		_exit(child_of_fork());
	lock_release_all();
	ASSERT(waitpid(child, &status, 0) == child);
	EXPECT_EQ(status, 0);
	pthread_join(thread, NULL);
	take_each();
}

/* Another library's handler, before ours, may start a thread that waits for us already. */
static int child_with_a_sleeper(void)
{
	pthread_t thread;

	alarm(20);
	os_fake_reset();
	entered = false;
	if (pthread_create(&thread, NULL, enter_zone, NULL))
		return 1;
	wait_for_sleepers(1);
	if (entered)
		return 2;
	lock_reset_all();
	if (!os_fake_calls(OS_CALL_FUTEX_WAKE))
		return 3;
	pthread_join(thread, NULL);
	return entered ? 0 : 4;
}

TEST(the_child_wakes_who_waits_already)
{
	int status = -1;
	pid_t child;

	lock_all_for_fork();
	child = fork();
	if (!child)
		_exit(child_with_a_sleeper());
	lock_release_all();
	ASSERT(waitpid(child, &status, 0) == child);
	EXPECT_EQ(status, 0);
}

RUN_TESTS
