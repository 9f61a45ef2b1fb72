/*
 * mm_test.h - what tests of the page layer share: each test is a process of its own, so that each
 * starts from a program that has not booted.
 */
#ifndef TESTS_UNIT_MM_MM_TEST_H
#define TESTS_UNIT_MM_MM_TEST_H

#include "fake/os_fake.h"
#include "kunit.h"
#include "mm/reclaim.h"
#include "mm/section.h"

#define MM_TEST(test_name) \
	static void test_name##_alone(void); \
	TEST(test_name) \
	{ \
		run_alone(test_name##_alone); \
	} \
	static void test_name##_alone(void)

__attribute__((unused)) static void run_alone(void (*run)(void))
{
	int status = -1;
	pid_t child;

	fflush(NULL);
	child = fork();
	ASSERT(child >= 0);
	if (!child) {
		if (!setjmp(kunit.test_end))
			run();
		fflush(NULL);
		_exit(kunit.nr_failed_checks ? 1 : 0);
	}
	ASSERT(waitpid(child, &status, 0) == child);
	EXPECT_EQ(status, 0);
}

/* The zone over a window of `bytes` (a power of two, at least 16 MiB). */
__attribute__((unused)) static void boot_heap(size_t bytes)
{
	zone_init();
	ASSERT(sections_boot(bytes));
	ASSERT_EQ(mm_map.nr_pages, bytes / PAGE_SIZE);
}

/* Further system calls that open memory fail; false: they work again. */
__attribute__((unused)) static void refuse_memory(bool refuse)
{
	os_fake_fail(OS_CALL_OPEN, refuse, refuse ? UINT_MAX : 0, 12 /* ENOMEM */);
}

/* A page's first word stands for the page. */
__attribute__((unused)) static volatile uint64_t *first_word(size_t pfn)
{
	return pfn_to_virt(pfn);
}

__attribute__((unused)) static bool is_proved(size_t pfn)
{
	return pfn_to_pageblock(pfn)->proved[pfn % PAGEBLOCK_PAGES / 64] >> pfn % 64 & 1;
}

__attribute__((unused)) static bool is_touched(size_t pfn)
{
	const struct pageblock *block = pfn_to_pageblock(pfn);

	return block->touched[pfn % PAGEBLOCK_PAGES / 64] >> pfn % 64 & 1;
}

/* Drop, or look up, every free page that is not HOLE. Returns how many were dropped or found. */
__attribute__((unused)) static size_t reclaim_all(void)
{
	struct reclaim_walk walk = { 0 };

	while (reclaim_some(&walk))
		;
	return walk.nr_pages;
}

__attribute__((unused)) static size_t reclaim_resolve(void)
{
	struct reclaim_walk walk = { 0 };

	while (reclaim_resolve_some(&walk))
		;
	return walk.nr_pages;
}

#endif
