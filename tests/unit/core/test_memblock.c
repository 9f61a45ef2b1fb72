/*
 * test_memblock.c - memory that is zero, apart, opened in steps from the top, until there is none.
 */
#include <errno.h>
#include <pthread.h>

#include "base/math.h"
#include "core/memblock.h"
#include "fake/os_fake.h"
#include "kunit.h"

#define STEP KIB(32)

static char *start, *end;

static void init(size_t bytes)
{
	void *address = NULL;

	os_fake_reset();
	ASSERT_EQ(os_reserve(NULL, bytes, &address), 0);
	start = address;
	end = start + bytes;
	memblock_init(start, end);
}

static bool is_zero(const char *block, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (block[i])
			return false;
	return true;
}

TEST(blocks_are_zero_apart_and_on_lines_of_their_own)
{
	static const size_t sizes[] = { 1, 64, 65, 8, 4096, 100, 63, 128, 20000, 1 };
	char *last = NULL;

	init(MIB(1));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *block = memblock_alloc(sizes[i]);

		ASSERT(block);
		EXPECT(is_aligned((uintptr_t)block, CACHE_LINE));
		EXPECT(block >= start && block + sizes[i] <= (last ? last : end));
		EXPECT(is_zero(block, sizes[i]));
		memset(block, 0xff, align_up(sizes[i], CACHE_LINE));
		last = block;
	}
}

TEST(the_first_block_touches_the_end)
{
	init(MIB(1));
	EXPECT_EQ(memblock_opened(), 0);
	EXPECT_EQ(memblock_alloc(CACHE_LINE), end - CACHE_LINE);
	EXPECT_EQ(memblock_alloc(CACHE_LINE), end - 2 * CACHE_LINE);
}

TEST(opened_in_steps)
{
	init(MIB(1));
	for (size_t bytes = 0; bytes < STEP; bytes += CACHE_LINE)
		ASSERT(memblock_alloc(CACHE_LINE));
	EXPECT_EQ(os_fake_calls(OS_CALL_OPEN), 1);
	EXPECT_EQ(memblock_opened(), STEP);
	ASSERT(memblock_alloc(1));
	EXPECT_EQ(os_fake_calls(OS_CALL_OPEN), 2);
	EXPECT_EQ(memblock_opened(), 2 * STEP);
	ASSERT(memblock_alloc(3 * STEP));
	EXPECT_EQ(os_fake_calls(OS_CALL_OPEN), 3);
	EXPECT_EQ(memblock_opened(), 5 * STEP);
}

TEST(everything_can_be_had_and_no_more)
{
	init(KIB(68)); /* two steps and a page */
	EXPECT(!memblock_alloc(KIB(68) + 1));
	EXPECT_EQ(memblock_opened(), 0);
	EXPECT_EQ(memblock_alloc(KIB(64)), start + KIB(4));
	EXPECT(!memblock_alloc(KIB(4) + 1));
	EXPECT_EQ(memblock_alloc(KIB(4)), start);
	EXPECT_EQ(memblock_opened(), KIB(68));
	EXPECT(!memblock_alloc(1));
	EXPECT(!memblock_alloc(1));
	memset(start, 0xff, KIB(68));
}

TEST(a_part_is_taken_whole)
{
	init(KIB(68));
	EXPECT_EQ(memblock_alloc(KIB(68)), start);
	EXPECT(!memblock_alloc(1));
}

TEST(memory_that_cannot_be_opened_changes_nothing)
{
	char *block;

	init(MIB(1));
	block = memblock_alloc(STEP - CACHE_LINE);
	os_fake_fail(OS_CALL_OPEN, 1, UINT_MAX, ENOMEM);
	EXPECT(!memblock_alloc(2 * CACHE_LINE));
	EXPECT(!memblock_alloc(MIB(1) / 2));
	os_fake_fail(OS_CALL_OPEN, 0, 0, 0);
	EXPECT_EQ(memblock_opened(), STEP);
	EXPECT_EQ(memblock_alloc(CACHE_LINE), block - CACHE_LINE); /* open already */
	EXPECT_EQ(memblock_alloc(2 * CACHE_LINE), block - 3 * CACHE_LINE);
}

/* At the limit of RLIMIT_DATA there may be room for a page where there is none for a step. */
TEST(where_a_step_is_refused_a_page_will_do)
{
	init(MIB(1));
	os_fake_fail(OS_CALL_OPEN, 1, 1, ENOMEM);
	EXPECT_EQ(memblock_alloc(CACHE_LINE), end - CACHE_LINE);
	EXPECT_EQ(memblock_opened(), KIB(4));
	os_fake_fail(OS_CALL_OPEN, 1, 1, ENOMEM);
	EXPECT_EQ(memblock_alloc(KIB(8)), end - CACHE_LINE - KIB(8));
	EXPECT_EQ(memblock_opened(), KIB(12));
	ASSERT(memblock_alloc(KIB(4)));
	EXPECT_EQ(memblock_opened(), KIB(12) + STEP);
}

#define NR_THREADS 4
#define NR_BLOCKS 1000

static void *allocate_and_tag(void *tag)
{
	for (int i = 0; i < NR_BLOCKS; i++) {
		void **block = memblock_alloc(sizeof(*block));

		if (!block || *block)
			return NULL;
		*block = tag;
	}
	return tag;
}

TEST(threads_get_blocks_of_their_own)
{
	static char tag[NR_THREADS];
	pthread_t threads[NR_THREADS];
	void *done;

	init(MIB(1));
	for (int i = 0; i < NR_THREADS; i++)
		ASSERT(!pthread_create(&threads[i], NULL, allocate_and_tag, &tag[i]));
	for (int i = 0; i < NR_THREADS; i++) {
		pthread_join(threads[i], &done);
		EXPECT(done);
	}
	for (char *block = end - NR_THREADS * NR_BLOCKS * CACHE_LINE; block < end;
	     block += CACHE_LINE)
		EXPECT(*(void **)(void *)block);
}

RUN_TESTS
