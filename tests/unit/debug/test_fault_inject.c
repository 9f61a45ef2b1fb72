/* test_fault_inject.c - debug/fault_inject: which requests fail. */
#include "debug/fault_inject.h"

#include "kunit.h"
#include "isolated.h"

#define KERNEL STITCH_GFP_KERNEL
#define NR 10000u

static bool fails(size_t bytes)
{
	return fault_inject("test", bytes, KERNEL);
}

static unsigned int nr_failing(unsigned int nr, size_t bytes)
{
	unsigned int failed = 0;

	for (unsigned int i = 0; i < nr; i++)
		failed += fails(bytes);
	EXPECT(failed <= fault_inject_count());
	return failed;
}

ISOLATED_TEST(nothing_fails_unasked)
{
	heap_up("fail_interval=1,fail_verbose=1");
	EXPECT(!fault_injecting);
	EXPECT_EQ(nr_failing(NR, 100), 0);
	EXPECT(sheaf_malloc(100) || kmalloc(100));
}

ISOLATED_TEST(all_fail_and_no_fast_path_hits)
{
	heap_up("fail=100");
	EXPECT_EQ(nr_failing(NR, 100), NR);
	EXPECT_EQ(fault_inject_count(), NR);
	kfree(kmalloc(100));
	EXPECT(sheaf_count(current_slot, (unsigned int)size_class_of(100)) > 0);
	EXPECT(!sheaf_malloc(100));
}

ISOLATED_TEST(some_fail_by_lot)
{
	unsigned int failed;

	heap_up("fail=30,fail_seed=7");
	failed = nr_failing(NR, 100);
	EXPECT(failed > NR * 27 / 100 && failed < NR * 33 / 100);
}

static uint64_t draw(const char *options)
{
	uint64_t drawn = 0;

	params.fail_seed = 0;
	heap_up(options);
	for (unsigned int i = 0; i < 64; i++)
		drawn |= (uint64_t)fails(1) << i;
	return drawn;
}

/* splitmix64 of 1 and of 2, by hand: the sequence is what a seed promises from build to build. */
ISOLATED_TEST(a_seed_gives_the_same_lots)
{
	uint64_t drawn = draw("fail=50,fail_seed=1"), expected = 0;
	uint64_t state = 1;

	for (unsigned int i = 0; i < 64; i++) {
		uint64_t z = state += 0x9e3779b97f4a7c15u;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
		expected |= (uint64_t)((z ^ (z >> 31)) % 100 < 50) << i;
	}
	EXPECT_EQ(drawn, expected);
}

ISOLATED_TEST(each_so_manieth)
{
	heap_up("fail=100,fail_interval=7");
	for (unsigned int i = 1; i <= 70; i++)
		EXPECT_EQ(fails(100), i % 7 == 0);
}

ISOLATED_TEST(only_so_many_times)
{
	heap_up("fail=100,fail_times=3");
	EXPECT_EQ(nr_failing(10, 100), 3);
	EXPECT_EQ(fault_inject_count(), 3);
}

/* lib/fault-inject.c: a request larger than what is left of the space is let through, too, here. */
ISOLATED_TEST(not_before_so_many_bytes)
{
	heap_up("fail=100,fail_space=1000");
	EXPECT(!fails(400));
	EXPECT(!fails(599));
	EXPECT(!fails(1));
	EXPECT(fails(1));
}

ISOLATED_TEST(only_large_ones)
{
	heap_up("fail=100,fail_min_order=2");
	EXPECT(!fails(1));
	EXPECT(!fails(2 * PAGE_SIZE));
	EXPECT(fails(2 * PAGE_SIZE + 1));
	EXPECT(fails(4 * PAGE_SIZE));
	EXPECT(fails(SIZE_MAX));
}

ISOLATED_TEST(nofail_never_and_none_in_a_pause)
{
	unsigned int outer, inner;

	heap_up("fail=100");
	EXPECT(!fault_inject("test", 100, KERNEL | STITCH__GFP_NOFAIL));
	outer = fault_inject_pause();
	inner = fault_inject_pause();
	EXPECT(!fails(100));
	fault_inject_resume(inner);
	EXPECT(!fails(100));
	fault_inject_resume(outer);
	EXPECT(fails(100));
	EXPECT_EQ(fault_inject_count(), 1);
}

/* Who may not wait fails, but has no stack looked at: none that has to be somewhere. */
ISOLATED_TEST(atomic_requests)
{
	heap_up("fail=100,fail_verbose=1");
	os_fake_capture_begin();
	EXPECT(fault_inject("test", 100, STITCH_GFP_ATOMIC));
	EXPECT_STREQ(os_fake_capture_end(), "");
	strcpy(params.fail_stack, "*");
	EXPECT(!fault_inject("test", 100, STITCH_GFP_ATOMIC));
}

RUN_TESTS
