/*
 * test_mm_init.c - the boot: once, whoever comes first; or not at all, with nothing half done.
 */
#include "init/mm_init.h"

#include <pthread.h>

#include "kunit.h"
#include "isolated.h"
#include "core/hooks.h"
#include "kmalloc/gate.h"

#define NR_THREADS 8u

ISOLATED_TEST(boot_and_boot_again)
{
	uintptr_t base;

	os_fake_reset();
	EXPECT_EQ(mm_state, MM_DOWN);
	EXPECT(mm_init());
	EXPECT_EQ(mm_state, MM_UP);
	base = mm_map.base;
	EXPECT_EQ(os_fake_calls(OS_CALL_START_READ), 1);
	EXPECT(mm_init());
	EXPECT_EQ(mm_map.base, base);
	EXPECT_EQ(os_fake_calls(OS_CALL_START_READ), 1);
	EXPECT(kmalloc(1));
	expect_valid();
}

/* Nothing is opened and hardly anything asked before the first allocation. */
ISOLATED_TEST(boot_is_cheap)
{
	struct kmalloc_usage usage;

	heap_up("");
	EXPECT(os_fake_calls(OS_CALL_ANY) < 20);
	kmalloc_usage_read(&usage);
	EXPECT_EQ(usage.opened, 0);
}

/* What retain= is when nothing sets it. */
static void expect_retained(size_t physical, const char *limit, const char *options, size_t bytes)
{
	static const char *environment[2];

	os_fake_reset();
	os_fake_physical_set(physical);
	os_fake_file_set("/proc/self/cgroup", limit ? "0::/\n" : NULL);
	os_fake_file_set("/sys/fs/cgroup/memory.max", limit);
	environment[0] = options;
	os_fake_start_set(environment, false);
	EXPECT(mm_init());
	EXPECT_EQ(params.retain, bytes);
	EXPECT_EQ(zone.watermark[WMARK_HIGH], bytes / PAGE_SIZE);
}

ISOLATED_TEST(a_large_machine_retains_the_most)
{
	expect_retained(GIB(24), NULL, "X=", MIB(48));
}

ISOLATED_TEST(a_small_machine_retains_less)
{
	expect_retained(MIB(512), NULL, "X=", MIB(32));
}

ISOLATED_TEST(a_small_container_retains_less)
{
	expect_retained(GIB(24), "134217728\n", "X=", MIB(8));
}

ISOLATED_TEST(a_large_container_retains_the_most)
{
	expect_retained(GIB(24), "1073741824\n", "X=", MIB(48));
}

ISOLATED_TEST(a_container_without_memory_retains_nothing)
{
	expect_retained(GIB(24), "0\n", "X=", 0);
}

ISOLATED_TEST(options_override_what_is_adapted)
{
	expect_retained(GIB(24), "134217728\n", "STITCH_CONF=retain=100M", MIB(100));
}

ISOLATED_TEST(nothing_may_also_be_asked_for)
{
	expect_retained(GIB(24), NULL, "STITCH_CONF=retain=0", 0);
}

/* The window is that of the machine: limits change while processes live. */
ISOLATED_TEST(a_container_reserves_as_the_machine_does)
{
	expect_retained(GIB(64), "134217728\n", "X=", MIB(8));
	EXPECT_EQ(mm_map.nr_pages * PAGE_SIZE, GIB(256));
}

static _Atomic bool start;
static _Atomic unsigned int nr_ok;

static void *race(void *unused)
{
	char *object;

	while (!start)
		cpu_relax();
	if (mm_init() && (object = kmalloc(100))) {
		memset(object, 1, 100);
		kfree(object);
		nr_ok++;
	}
	mm_thread_exit();
	return unused;
}

static void threads_race(void)
{
	pthread_t threads[NR_THREADS];

	os_fake_reset();
	for (unsigned int i = 0; i < NR_THREADS; i++)
		ASSERT(!pthread_create(&threads[i], NULL, race, NULL));
	start = true;
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(nr_ok, NR_THREADS);
	EXPECT_EQ(os_fake_calls(OS_CALL_START_READ), 1);
	EXPECT(slot_count() <= NR_THREADS + 1);
	EXPECT_EQ(slot_count_held(), 0);
	expect_valid();
}

TEST(threads_race_to_boot)
{
	for (unsigned int i = 0; i < 30; i++)
		isolated_run(threads_race);
}

static void *freed;

static void note_free(void *object)
{
	freed = object;
}

static void expect_failed(void)
{
	foreign_ops.free = note_free;
	EXPECT(!mm_init());
	EXPECT_EQ(mm_state, MM_FAILED);
	EXPECT(!mm_init());
	/* Pointers can only be somebody else's now, also where a heap was tried. */
	kfree(&freed);
	EXPECT_EQ(freed, &freed);
	EXPECT_EQ(mm_map.nr_pages, 0);
}

ISOLATED_TEST(no_address_space)
{
	os_fake_reset();
	os_fake_fail(OS_CALL_RESERVE, 1, UINT_MAX, 12);
	expect_failed();
}

ISOLATED_TEST(no_page_map)
{
	os_fake_reset();
	os_fake_fail(OS_CALL_MAKE_READONLY, 1, UINT_MAX, 12);
	expect_failed();
	EXPECT_EQ(os_fake_calls(OS_CALL_UNRESERVE), os_fake_calls(OS_CALL_RESERVE));
}

ISOLATED_TEST(no_memory_for_the_first_slot)
{
	os_fake_reset();
	os_fake_fail(OS_CALL_OPEN, 1, UINT_MAX, 12);
	expect_failed();
}

/* Failure is for good: a heap that comes later would not know what it has refused. */
ISOLATED_TEST(failure_is_final)
{
	os_fake_reset();
	os_fake_fail(OS_CALL_RESERVE, 1, UINT_MAX, 12);
	EXPECT(!mm_init());
	os_fake_fail(OS_CALL_RESERVE, 0, 0, 0);
	EXPECT(!mm_init());
	EXPECT_EQ(os_fake_calls(OS_CALL_START_READ), 1);
}

/* A smaller reserve is taken when a large one cannot be had. */
ISOLATED_TEST(window_is_halved_until_it_fits)
{
	os_fake_reset();
	os_fake_physical_set(GIB(8));
	os_fake_fail(OS_CALL_RESERVE, 1, 3, 12);
	ASSERT(mm_init());
	EXPECT_EQ(mm_map.nr_pages * PAGE_SIZE, GIB(32) >> 3);
	EXPECT(kmalloc(MIB(100)));
	expect_valid();
}

/* The safety net is not needed to live. */
ISOLATED_TEST(map_that_stays_writable)
{
	os_fake_reset();
	os_fake_fail(OS_CALL_MAKE_READONLY, 2, 1, 12);
	ASSERT(mm_init());
	EXPECT(kmalloc(100));
}

ISOLATED_TEST(map_is_read_only)
{
	heap_up("");
	EXPECT(kmalloc(1));
	pid_t child = fork();
	int status = -1;

	if (!child) {
		struct sigaction by_default = { .sa_handler = SIG_DFL };

		sigaction(SIGSEGV, &by_default, NULL);
		mm_map.nr_pages = 1;
		_exit(0);
	}
	waitpid(child, &status, 0);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

ISOLATED_TEST(options_reach_the_heap)
{
	heap_up("reserve=64M,hardened=1,on_error=ignore");
	EXPECT_EQ(mm_map.nr_pages * PAGE_SIZE, MIB(64));
	EXPECT(params.hardened);
	EXPECT_EQ(params.on_error, ON_ERROR_IGNORE);
}

ISOLATED_TEST(threads_come_and_go)
{
	heap_up("");
	mm_thread_exit(); /* of a thread that never called */
	EXPECT(!mm_thread_has_slot());
	EXPECT(kmalloc(1));
	EXPECT(mm_thread_has_slot());
	mm_thread_exit();
	EXPECT(!mm_thread_has_slot());
	EXPECT(kmalloc(1));
	EXPECT(!mm_thread_has_slot());
}

/* mm/decay.h: of 256 pages that are free 32 and more, in whole blocks. */
ISOLATED_TEST(a_thread_that_ends_takes_free_pages_with_it)
{
	void *object;
	gate_pass *pass;
	size_t nr_free;

	heap_up("");
	os_fake_clock_set(1000000);
	object = kmalloc(MIB(1));
	ASSERT(object);
	memset(object, 1, MIB(1));
	kfree(object);
	pass = gate_enter();
	kmalloc_drain();
	gate_leave(pass);
	nr_free = zone.nr_free_touched;
	ASSERT(nr_free >= 256);
	mm_thread_exit();
	EXPECT(zone.nr_free_touched <= nr_free - nr_free / 8);
	expect_valid();
}

#define SAVE(n) "movdqu %%xmm" #n ", 16*" #n "(%0)\n\t"

static void save_vector_registers(uint64_t words[32])
{
	asm volatile(SAVE(0) SAVE(1) SAVE(2) SAVE(3) SAVE(4) SAVE(5) SAVE(6) SAVE(7) SAVE(8) SAVE(9)
		     SAVE(10) SAVE(11) SAVE(12) SAVE(13) SAVE(14) SAVE(15)
		     :: "r"(words) : "memory");
}

/* It is the address of the first object, and the leak check looks into registers. */
ISOLATED_TEST(no_register_has_the_heaps_base_after_the_boot)
{
	uint64_t words[32];

	os_fake_reset();
	ASSERT(mm_init());
	save_vector_registers(words);
	for (unsigned int i = 0; i < 32; i++)
		EXPECT(words[i] != mm_map.base);
}

RUN_TESTS
