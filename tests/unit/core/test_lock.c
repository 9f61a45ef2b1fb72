/*
 * test_lock.c - exclusion, sleeping and waking, the ranks, and who is not there.
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
	os_fake_fail(OS_CALL_FUTEX_WAIT_FOR, 1, UINT_MAX, EINTR);
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
	while (os_fake_calls(OS_CALL_FUTEX_WAIT_FOR) < nr_sleepers)
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

/*
 * The one wake goes to a thread that a signal handler has interrupted just then: it does not come
 * to take the lock, nor to wake the next.
 */
TEST(a_sleeper_does_not_depend_on_its_wake)
{
	pthread_t thread;

	os_fake_reset();
	entered = false;
	lock_acquire(LOCK_ZONE);
	ASSERT(!pthread_create(&thread, NULL, enter_zone, NULL));
	wait_for_sleepers(1);
	os_fake_fail(OS_CALL_FUTEX_WAKE, 1, UINT_MAX, EINTR);
	lock_release(LOCK_ZONE);
	pthread_join(thread, NULL);
	EXPECT(entered);
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

/* --- a child without the other threads -------------------------------------------------------- */

static int held_by_others_in_child(void)
{
	return locks_held_by_others();
}

static int in_child(int (*body)(void))
{
	int status = -1;
	pid_t child = fork();

	if (!child)
		_exit(body());
	ASSERT(waitpid(child, &status, 0) == child);
	return WEXITSTATUS(status);
}

TEST(free_locks_are_nobodys)
{
	EXPECT(!locks_held_by_others());
	EXPECT_EQ(in_child(held_by_others_in_child), 0);
}

/* A signal handler that forks in the midst: the child goes on where its parent was. */
TEST(ones_own_locks_are_not_others)
{
	lock_acquire(LOCK_ZONE);
	EXPECT_EQ(in_child(held_by_others_in_child), 0);
	lock_release(LOCK_ZONE);
}

static pthread_barrier_t holding;

static void *hold_zone(void *unused)
{
	(void)unused;
	lock_acquire(LOCK_ZONE);
	pthread_barrier_wait(&holding);
	pthread_barrier_wait(&holding);
	lock_release(LOCK_ZONE);
	return NULL;
}

/* Also when asked again: nobody will ever release it. */
static int held_twice_asked(void)
{
	return locks_held_by_others() + locks_held_by_others();
}

TEST(a_lock_of_an_absent_thread_is_others)
{
	pthread_t thread;

	pthread_barrier_init(&holding, NULL, 2);
	ASSERT(!pthread_create(&thread, NULL, hold_zone, NULL));
	pthread_barrier_wait(&holding);
	EXPECT_EQ(in_child(held_twice_asked), 2);
	pthread_barrier_wait(&holding);
	pthread_join(thread, NULL);
	EXPECT_EQ(in_child(held_by_others_in_child), 0);
}

/* What it protects may be anyhow, but who needs it to come to an end must not wait for ever. */
static int acquire_what_is_gone(void)
{
	int found = locks_held_by_others();

	alarm(20);
	lock_acquire(LOCK_ZONE);
	lock_release(LOCK_ZONE);
	take_each();
	return found + locks_held_by_others();
}

TEST(a_lock_of_an_absent_thread_can_be_acquired)
{
	pthread_t thread;

	pthread_barrier_init(&holding, NULL, 2);
	ASSERT(!pthread_create(&thread, NULL, hold_zone, NULL));
	pthread_barrier_wait(&holding);
	EXPECT_EQ(in_child(acquire_what_is_gone), 1);
	pthread_barrier_wait(&holding);
	pthread_join(thread, NULL);
}

/* --- around a fork amid a slow path ----------------------------------------------------------*/

static void *exit_if_someone_sleeps(void *unused)
{
	while (!os_fake_calls(OS_CALL_FUTEX_WAIT_FOR))
		sched_yield();
	_exit(1);
	return unused;
}

/* In a child of another thread: what this one holds can be acquired by nobody. */
static void *note_who_can_be_acquired(void *held)
{
	for (unsigned int rank = 0; rank < NR_LOCK_RANKS; rank++) {
		int status = -1;
		pid_t child = fork();
		pthread_t watcher;

		if (!child) {
			os_fake_reset();
			pthread_create(&watcher, NULL, exit_if_someone_sleeps, NULL);
			acquire_and_release((enum lock_rank)rank);
			_exit(0);
		}
		waitpid(child, &status, 0);
		*(unsigned int *)held |= (unsigned int)(status != 0) << rank;
	}
	return NULL;
}

/* A bit for each rank. */
static unsigned int ranks_held(void)
{
	pthread_t thread;
	unsigned int held = 0;

	pthread_create(&thread, NULL, note_who_can_be_acquired, &held);
	pthread_join(thread, NULL);
	return held;
}

#define ALL_RANKS ((1u << NR_LOCK_RANKS) - 1)
#define FROM(rank) (ALL_RANKS & ~((1u << (rank)) - 1))

TEST(the_rest_is_what_is_above_ones_own)
{
	locks_take_rest();
	EXPECT_EQ(ranks_held(), ALL_RANKS);
	locks_release_rest();
	EXPECT_EQ(ranks_held(), 0);
	lock_acquire(LOCK_SHARED_SLOT);
	lock_acquire(LOCK_BARN);
	locks_take_rest();
	EXPECT_EQ(ranks_held(), FROM(LOCK_BARN) | 1u << LOCK_SHARED_SLOT);
	locks_take_rest(); /* a signal handler */
	locks_release_rest();
	EXPECT_EQ(ranks_held(), 1u << LOCK_BARN | 1u << LOCK_SHARED_SLOT);
	locks_release_rest();
	EXPECT_EQ(ranks_held(), 1u << LOCK_BARN | 1u << LOCK_SHARED_SLOT);
	lock_release(LOCK_BARN);
	lock_release(LOCK_SHARED_SLOT);
	lock_acquire(LOCK_MEMBLOCK);
	locks_take_rest();
	locks_release_rest();
	EXPECT_EQ(ranks_held(), 1u << LOCK_MEMBLOCK);
	lock_release(LOCK_MEMBLOCK);
	EXPECT_EQ(ranks_held(), 0);
}

static int take_rest_in_child(void)
{
	locks_take_rest();
	return locks_held_by_others();
}

static void *take_and_release_rest(void *unused)
{
	locks_take_rest();
	entered = true;
	locks_release_rest();
	return unused;
}

/* Whoever takes the rest waits for what others hold, and is no stranger to his own. */
TEST(the_rest_is_waited_for)
{
	pthread_t thread;

	os_fake_reset();
	entered = false;
	lock_acquire(LOCK_ZONE);
	EXPECT_EQ(in_child(take_rest_in_child), 0);
	ASSERT(!pthread_create(&thread, NULL, take_and_release_rest, NULL));
	wait_for_sleepers(1);
	EXPECT(!entered);
	lock_release(LOCK_ZONE);
	pthread_join(thread, NULL);
	EXPECT(entered);
}

RUN_TESTS
