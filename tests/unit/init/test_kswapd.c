/*
 * test_kswapd.c - the background thread: when there shall be one, and what one look does.
 */
#include "init/kswapd.h"

#include <pthread.h>

#include "kunit.h"
#include "isolated.h"
#include "kmalloc/gate.h"
#include "kmalloc/shrinker.h"
#include "mm/decay.h"

#define OPTIONS "retain=8M,decay_ms=1000"
#define NR_BLOCKS 32u

static char *blocks[NR_BLOCKS];

static void boot(void)
{
	heap_up(OPTIONS);
	os_fake_clock_set(1000000);
}

/* 16 MiB; afterwards, as much is free as may stay. */
static void build_and_free(void)
{
	for (unsigned int i = 0; i < NR_BLOCKS; i++) {
		ASSERT(blocks[i] = kmalloc(KIB(512)));
		memset(blocks[i], 1, KIB(512));
	}
	for (unsigned int i = 0; i < NR_BLOCKS; i++)
		kfree(blocks[i]);
}

ISOLATED_TEST(not_unless_wanted)
{
	boot();
	build_and_free();
	EXPECT(!kswapd_begin());
	EXPECT_EQ(kswapd_state, KSWAPD_OFF);
}

ISOLATED_TEST(not_for_a_small_heap)
{
	boot();
	kswapd_want(0);
	kfree(kmalloc(100));
	EXPECT(!kswapd_begin());
	build_and_free();
	EXPECT(kswapd_begin());
	EXPECT_EQ(kswapd_state, KSWAPD_RUNNING);
	EXPECT(!kswapd_begin());
}

ISOLATED_TEST(not_for_the_first_calls_of_a_child)
{
	boot();
	kswapd_want(3);
	EXPECT(!kswapd_begin());
	build_and_free();
	for (unsigned int i = 0; i < 3; i++)
		EXPECT(!kswapd_begin());
	EXPECT(kswapd_begin());
}

ISOLATED_TEST(not_in_another_process)
{
	pid_t child;
	int status;

	boot();
	kswapd_want(0);
	build_and_free();
	child = fork();
	if (!child)
		_exit(kswapd_begin());
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	EXPECT(kswapd_begin());
}

ISOLATED_TEST(not_amid_a_slow_path_or_a_fork)
{
	gate_pass *pass;

	boot();
	kswapd_want(0);
	build_and_free();
	pass = gate_enter();
	EXPECT(!kswapd_begin());
	gate_leave(pass);
	gate_close();
	EXPECT(!kswapd_begin());
	gate_open();
	EXPECT(kswapd_begin());
}

/* Nobody calls but the thread: what the program would keep goes, in time. */
ISOLATED_TEST(looks_give_back)
{
	size_t low;

	boot();
	build_and_free();
	low = zone.watermark[WMARK_LOW];
	EXPECT(zone.nr_free_touched > low);
	for (unsigned int i = 0; i < 5; i++) {
		EXPECT_EQ(kswapd_look(KSWAPD_IDLE_MS), KSWAPD_BUSY_MS);
		EXPECT(zone.nr_free_touched > low); /* too young */
		os_fake_clock_advance(KSWAPD_BUSY_MS);
	}
	for (unsigned int i = 0; i < 20; i++) {
		kswapd_look(KSWAPD_BUSY_MS);
		os_fake_clock_advance(KSWAPD_BUSY_MS);
	}
	EXPECT(zone.nr_free_touched <= low);
	expect_valid();
}

ISOLATED_TEST(pauses_grow_while_nothing_is_due)
{
	uint32_t nap = KSWAPD_BUSY_MS;

	boot();
	EXPECT(!decay_is_due());
	EXPECT_EQ(nap = kswapd_look(nap), 2 * KSWAPD_BUSY_MS);
	EXPECT_EQ(nap = kswapd_look(nap), 4 * KSWAPD_BUSY_MS);
	for (unsigned int i = 0; i < 10; i++)
		nap = kswapd_look(nap);
	EXPECT_EQ(nap, KSWAPD_IDLE_MS);
	EXPECT_EQ(os_fake_calls(OS_CALL_PURGE_RANGES), 0);
}

/* While another thread forks, nothing; and nobody waits. */
ISOLATED_TEST(looks_at_a_closed_gate)
{
	size_t nr_free;

	boot();
	build_and_free();
	nr_free = zone.nr_free_touched;
	os_fake_clock_advance(10000);
	gate.closed_by = 4096; /* somebody else's */
	EXPECT_EQ(kswapd_look(KSWAPD_BUSY_MS), KSWAPD_BUSY_MS);
	EXPECT_EQ(zone.nr_free_touched, nr_free);
	EXPECT_EQ(os_fake_calls(OS_CALL_NAP), 0);
	gate.closed_by = 0;
	kswapd_look(KSWAPD_BUSY_MS);
	EXPECT(zone.nr_free_touched < nr_free);
}

static void *run(void *unused)
{
	kswapd_run();
	return unused;
}

ISOLATED_TEST(runs_until_it_is_stopped)
{
	pthread_t thread;

	boot();
	kswapd_want(0);
	build_and_free();
	ASSERT(kswapd_begin());
	ASSERT(!pthread_create(&thread, NULL, run, NULL));
	while (READ_ONCE(zone.nr_free_touched) > READ_ONCE(zone.watermark[WMARK_LOW])) {
		os_fake_clock_advance(500);
		usleep(1000);
	}
	while (os_fake_calls(OS_CALL_FUTEX_WAIT_FOR) < 2)
		usleep(1000);
	kswapd_stop();
	pthread_join(thread, NULL);
	EXPECT(!kswapd_begin());
	EXPECT_EQ(slot_count_held(), 0);
	expect_valid();
}

/* A child of a fork makes its own. */
ISOLATED_TEST(wanted_again)
{
	boot();
	kswapd_want(0);
	build_and_free();
	EXPECT(kswapd_begin());
	kswapd_want(0);
	EXPECT(kswapd_begin());
	kswapd_stop();
	kswapd_want(0);
	EXPECT(kswapd_begin());
}

static _Atomic unsigned long nr_shrinks;

static unsigned long count(struct stitch_shrinker *shrinker, struct stitch_shrink_control *control)
{
	(void)shrinker;
	(void)control;
	nr_shrinks++;
	return 0;
}

static struct stitch_shrinker cache = { .count_objects = count, .scan_objects = count };

static pthread_t shrinks_in;

static unsigned long count_once(struct stitch_shrinker *shrinker,
				struct stitch_shrink_control *control)
{
	shrinks_in = pthread_self();
	return count(shrinker, control);
}

ISOLATED_TEST(woken_for_a_soft_limit)
{
	pthread_t thread;

	boot();
	cache.count_objects = count_once;
	ASSERT(!shrinker_register(&cache));
	EXPECT(!kswapd_wake());
	kswapd_want(0);
	EXPECT(!kswapd_wake());
	build_and_free();
	ASSERT(kswapd_begin());
	os_fake_clock_set(1000000);
	ASSERT(!pthread_create(&thread, NULL, run, NULL));
	for (unsigned int round = 0; round < 3; round++) {
		nr_shrinks = 0;
		EXPECT(kswapd_wake());
		while (!nr_shrinks)
			usleep(1000);
		os_fake_clock_advance(RELIEF_PAUSE_MS);
		while (atomic_load(&kswapd_state) == KSWAPD_ASKED)
			usleep(1000);
	}
	kswapd_stop();
	EXPECT(!kswapd_wake());
	pthread_join(thread, NULL);
	EXPECT(pthread_equal(shrinks_in, thread));
	expect_valid();
}

/* As a child of a raw clone has it: there is no thread, though it looks so. */
ISOLATED_TEST(nobody_comes)
{
	boot();
	kswapd_want(0);
	build_and_free();
	ASSERT(kswapd_begin());
	EXPECT(kswapd_wake());
	os_fake_clock_advance(100);
	EXPECT(kswapd_wake());
	os_fake_clock_advance(100);
	EXPECT(!kswapd_wake());
	EXPECT_EQ(kswapd_state, KSWAPD_ASKED);
}

/* Stopped while it is asked. */
ISOLATED_TEST(stopped_while_asked)
{
	pthread_t thread;

	boot();
	kswapd_want(0);
	build_and_free();
	ASSERT(kswapd_begin());
	EXPECT(kswapd_wake());
	EXPECT(kswapd_wake());
	EXPECT_EQ(os_fake_calls(OS_CALL_FUTEX_WAKE), 1);
	ASSERT(!pthread_create(&thread, NULL, run, NULL));
	while (!os_fake_calls(OS_CALL_FUTEX_WAIT_FOR))
		; /* until it pauses */
	kswapd_stop();
	pthread_join(thread, NULL);
	EXPECT_EQ(kswapd_state, KSWAPD_STOPPED);
}

/* Once a second somebody asks; then all goes, however young. */
ISOLATED_TEST(under_pressure_everything_goes)
{
	unsigned int nr_files;

	boot();
	ASSERT(!shrinker_register(&cache));
	os_fake_file_set("/proc/pressure/memory", "some total=0\n");
	build_and_free();
	kswapd_look(KSWAPD_IDLE_MS);
	EXPECT(zone.nr_free_touched > zone.watermark[WMARK_LOW]);
	os_fake_file_set("/proc/pressure/memory", "some total=500000\n");
	nr_files = os_fake_calls(OS_CALL_READ_FILE);
	os_fake_clock_advance(KSWAPD_IDLE_MS - 1);
	kswapd_look(KSWAPD_IDLE_MS);
	EXPECT_EQ(nr_shrinks, 0);
	os_fake_clock_advance(1);
	kswapd_look(KSWAPD_IDLE_MS);
	EXPECT_EQ(os_fake_calls(OS_CALL_READ_FILE), nr_files + 2);
	EXPECT_EQ(zone.nr_free_touched, 0);
	EXPECT(nr_shrinks > 0);
	expect_valid();
	/* A filter may kill who opens files. */
	os_fake_feature(OS_FEATURE_NO_FILTER, false);
	nr_files = os_fake_calls(OS_CALL_READ_FILE);
	os_fake_clock_advance(KSWAPD_IDLE_MS);
	kswapd_look(KSWAPD_IDLE_MS);
	EXPECT_EQ(os_fake_calls(OS_CALL_READ_FILE), nr_files);
}

RUN_TESTS
