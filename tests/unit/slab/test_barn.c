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
