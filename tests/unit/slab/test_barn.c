/*
 * test_barn.c - batches and sheaf arrays: what is put back is what comes next, sentinels in place.
 */
#include "slab/barn.h"

#include "kunit.h"
#include "isolated.h"

ISOLATED_TEST(batches_come_back)
{
	struct batch *first, *second;

	heap_up("");
	first = barn_get_batch();
	second = barn_get_batch();
	ASSERT(first && second && first != second);
	EXPECT(is_aligned((uintptr_t)first, CACHE_LINE));
	barn_put_batch(first);
	barn_put_batch(second);
	EXPECT_EQ(barn_get_batch(), second);
	EXPECT_EQ(barn_get_batch(), first);
}

static void expect_array(void **array, unsigned int capacity)
{
	EXPECT_EQ(array[0], NULL);
	for (unsigned int i = 1; i <= capacity; i++)
		EXPECT(array[i] != SHEAF_END);
	EXPECT_EQ(array[capacity + 1], SHEAF_END);
}

ISOLATED_TEST(arrays_of_every_size)
{
	heap_up("");
	for (unsigned int capacity = 8; capacity <= 8192; capacity *= 2) {
		void **array = barn_get_array(capacity), **other;

		ASSERT(array);
		EXPECT_EQ(barn_array_bytes(capacity), (capacity + 2) * sizeof(void *));
		expect_array(array, capacity);
		memset(array + 1, 0x5a, capacity * sizeof(void *));
		other = barn_get_array(capacity);
		ASSERT(other);
		EXPECT(other + capacity + 2 <= array || array + capacity + 2 <= other);
		barn_put_array(array, capacity);
	}
	for (unsigned int capacity = 8; capacity <= 8192; capacity *= 2) {
		size_t opened = memblock_opened();
		void **array = barn_get_array(capacity);

		ASSERT(array);
		expect_array(array, capacity);
		EXPECT_EQ(array[capacity], (void *)0x5a5a5a5a5a5a5a5a); /* that very one */
		EXPECT_EQ(memblock_opened(), opened);
	}
}

#define NR_BATCHES 2000u

static struct batch *batches[NR_BATCHES];

/* Of the pages that they lie in at the most. */
static size_t resident_pages(const void *start, size_t bytes)
{
	static unsigned char resident[4096];
	uintptr_t first = align_down((uintptr_t)start, PAGE_SIZE);
	size_t nr_pages = (align_up((uintptr_t)start + bytes, PAGE_SIZE) - first) / PAGE_SIZE;
	size_t nr_resident = 0;

	ASSERT(nr_pages <= sizeof(resident));
	ASSERT(!os_mincore((void *)first, nr_pages * PAGE_SIZE, resident));
	for (size_t i = 0; i < nr_pages; i++)
		nr_resident += resident[i] & 1;
	return nr_resident;
}

static void take_batches(void)
{
	for (unsigned int i = 0; i < NR_BATCHES; i++) {
		ASSERT((batches[i] = barn_get_batch()));
		memset(batches[i], 0x5a, sizeof(*batches[i]));
	}
}

/* In any order. */
static void put_batches(unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		barn_put_batch(batches[(size_t)i * 1237 % NR_BATCHES]);
}

static void expect_all_different(void)
{
	for (unsigned int i = 0; i < NR_BATCHES; i++)
		batches[i]->objects[2] = &batches[i];
	for (unsigned int i = 0; i < NR_BATCHES; i++)
		ASSERT_EQ(batches[i]->objects[2], &batches[i]);
}

ISOLATED_TEST(trim_drops_batches)
{
	struct batch *lowest;
	size_t bytes = NR_BATCHES * sizeof(struct batch), opened;

	heap_up("");
	take_batches();
	lowest = batches[NR_BATCHES - 1];
	opened = memblock_opened();
	EXPECT(resident_pages(lowest, bytes) >= bytes / PAGE_SIZE);
	EXPECT_EQ(barn_trim(), 0);
	put_batches(NR_BATCHES);
	EXPECT(barn_trim() >= bytes / PAGE_SIZE - 2);
	EXPECT(resident_pages(lowest, bytes) <= 3);
	EXPECT_EQ(barn_trim(), 0);
	/* All of them are there for the next time, and again. */
	for (unsigned int round = 0; round < 3; round++) {
		take_batches();
		EXPECT_EQ(memblock_opened(), opened);
		for (unsigned int i = 0; i < NR_BATCHES; i++)
			ASSERT(batches[i] >= lowest);
		expect_all_different();
		put_batches(NR_BATCHES);
		EXPECT(barn_trim() >= bytes / PAGE_SIZE - 2);
	}
}

/* Between batches that are in use, and what the kernel keeps, it is as if nothing had been. */
ISOLATED_TEST(trim_leaves_the_rest)
{
	heap_up("");
	take_batches();
	for (unsigned int i = 0; i < NR_BATCHES; i++)
		if (i % 20)
			barn_put_batch(batches[i]);
	EXPECT_EQ(barn_trim(), 0);
	for (unsigned int i = 0; i < NR_BATCHES; i += 20)
		ASSERT_EQ(batches[i]->objects[1], (void *)0x5a5a5a5a5a5a5a5a);
	for (unsigned int i = 0; i < NR_BATCHES; i += 20)
		barn_put_batch(batches[i]);
	os_fake_fail(OS_CALL_PURGE, 1, UINT_MAX, 22);
	EXPECT_EQ(barn_trim(), 0);
	os_fake_fail(OS_CALL_PURGE, 0, 0, 0);
	take_batches();
	expect_all_different();
}

/* What is in use between dropped rows stays. */
ISOLATED_TEST(trim_drops_rows_between_batches_in_use)
{
	size_t opened;

	heap_up("");
	take_batches();
	opened = memblock_opened();
	for (unsigned int i = 0; i < NR_BATCHES; i++)
		if (i % 200)
			barn_put_batch(batches[i]);
	EXPECT(barn_trim() >= NR_BATCHES / 200 * 22);
	for (unsigned int i = 0; i < NR_BATCHES; i++)
		if (i % 200)
			ASSERT((batches[i] = barn_get_batch()));
	EXPECT_EQ(memblock_opened(), opened);
	for (unsigned int i = 0; i < NR_BATCHES; i += 200)
		ASSERT_EQ(batches[i]->objects[1], (void *)0x5a5a5a5a5a5a5a5a);
	expect_all_different();
}

ISOLATED_TEST(trim_drops_arrays)
{
	size_t bytes = barn_array_bytes(8192);
	void **array;

	heap_up("");
	array = barn_get_array(8192);
	ASSERT(array);
	memset(array + 1, 0x5a, 8192 * sizeof(void *));
	EXPECT_EQ(barn_trim(), 0);
	barn_put_array(array, 8192);
	EXPECT(barn_trim() >= bytes / PAGE_SIZE - 1);
	EXPECT(resident_pages(array, bytes) <= 2);
	EXPECT_EQ(barn_trim(), 0);
	EXPECT_EQ(barn_get_array(8192), array);
	expect_array(array, 8192);
	memset(array + 1, 0x5a, 8192 * sizeof(void *));
	barn_put_array(array, 8192);
	EXPECT(barn_trim() > 0);
}

ISOLATED_TEST(no_memory_is_null)
{
	struct batch *batch;
	void **array;

	heap_up("");
	batch = barn_get_batch();
	array = barn_get_array(16);
	memory_gone();
	EXPECT_EQ(barn_get_batch(), NULL);
	EXPECT_EQ(barn_get_array(16), NULL);
	EXPECT_EQ(barn_get_array(8192), NULL);
	barn_put_batch(batch);
	barn_put_array(array, 16);
	EXPECT_EQ(barn_get_array(8), NULL); /* other sizes do not stand in */
	EXPECT_EQ(barn_get_batch(), batch);
	EXPECT_EQ(barn_get_array(16), array);
	memory_back();
	EXPECT(barn_get_batch());
}

RUN_TESTS
