/*
 * test_bitmap.c - the edges of words and of ranges; model/model_bitmap.c has the rest.
 */
#include "base/bitmap.h"
#include "kunit.h"

#define NR_WORDS 4u
#define NR_BITS (NR_WORDS * 64)

TEST(single_bits)
{
	uint64_t words[NR_WORDS] = { 0 };

	for (size_t bit = 0; bit < NR_BITS; bit++) {
		EXPECT(!bitmap_test(words, bit));
		bitmap_set(words, bit);
		EXPECT(bitmap_test(words, bit));
		EXPECT_EQ(bitmap_count_range(words, 0, NR_BITS), 1);
		EXPECT_EQ(words[bit / 64], (uint64_t)1 << bit % 64);
		bitmap_clear(words, bit);
		EXPECT(!bitmap_test(words, bit));
	}
}

TEST(every_range)
{
	for (size_t first = 0; first < NR_BITS; first += 3) {
		for (size_t nr = 0; nr <= NR_BITS - first; nr++) {
			uint64_t words[NR_WORDS] = { 0 };

			bitmap_set_range(words, first, nr);
			EXPECT_EQ(bitmap_count_range(words, 0, NR_BITS), nr);
			EXPECT(bitmap_test_range_all(words, first, nr));
			EXPECT_EQ(bitmap_test_range_any(words, first, nr), nr > 0);
			EXPECT(!bitmap_test_range_any(words, 0, first));
			EXPECT(!bitmap_test_range_any(words, first + nr, NR_BITS - first - nr));
			if (nr < NR_BITS - first)
				EXPECT(!bitmap_test_range_all(words, first, nr + 1));
			EXPECT_EQ(bitmap_find_next_set(words, NR_BITS, 0), nr ? first : NR_BITS);
			EXPECT_EQ(bitmap_find_next_zero(words, NR_BITS, first), first + nr);
			bitmap_clear_range(words, first, nr);
			EXPECT_EQ(words[0] | words[1] | words[2] | words[3], 0);
		}
	}
}

TEST(clear_leaves_the_neighbours)
{
	uint64_t words[NR_WORDS] = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };

	bitmap_clear_range(words, 63, 66);
	EXPECT_EQ(words[0], UINT64_MAX >> 1);
	EXPECT_EQ(words[1], 0);
	EXPECT_EQ(words[2], UINT64_MAX - 1);
	EXPECT_EQ(words[3], UINT64_MAX);
}

TEST(searches_end_at_the_last_bit)
{
	uint64_t words[NR_WORDS] = { 0, UINT64_MAX, 0, 0 };

	EXPECT_EQ(bitmap_find_next_set(words, 64, 0), 64);
	EXPECT_EQ(bitmap_find_next_set(words, 60, 0), 60);
	EXPECT_EQ(bitmap_find_next_zero(words, 100, 64), 100);
	EXPECT_EQ(bitmap_find_next_set(words, 100, 100), 100);
	EXPECT_EQ(bitmap_find_next_set(words, 100, 5000), 100);
	EXPECT_EQ(bitmap_find_next_set(words, 0, 0), 0);
}

TEST(areas)
{
	/* Clear: 4-7, 70-73, 75-; the rest is set. */
	uint64_t words[NR_WORDS] = { ~(uint64_t)0xf0, ~(uint64_t)0xbc0 & 0x7ff, 0, 0 };

	EXPECT_EQ(bitmap_find_zero_area(words, NR_BITS, 0, 4, 1), 4);
	EXPECT_EQ(bitmap_find_zero_area(words, NR_BITS, 0, 4, 4), 4);
	EXPECT_EQ(bitmap_find_zero_area(words, NR_BITS, 5, 3, 1), 5);
	EXPECT_EQ(bitmap_find_zero_area(words, NR_BITS, 5, 4, 1), 70);
	EXPECT_EQ(bitmap_find_zero_area(words, NR_BITS, 5, 4, 4), 76);
	EXPECT_EQ(bitmap_find_zero_area(words, NR_BITS, 0, 5, 1), 75);
	EXPECT_EQ(bitmap_find_zero_area(words, NR_BITS, 0, 128, 64), 128);
	EXPECT_EQ(bitmap_find_zero_area(words, NR_BITS, 0, 128, 128), 128);
	EXPECT_EQ(bitmap_find_zero_area(words, NR_BITS, 129, 128, 1), NR_BITS);
	EXPECT_EQ(bitmap_find_zero_area(words, NR_BITS, 0, NR_BITS - 75, 1), 75);
	EXPECT_EQ(bitmap_find_zero_area(words, NR_BITS, 0, NR_BITS - 74, 1), NR_BITS);
	EXPECT_EQ(bitmap_find_zero_area(words, NR_BITS, 0, SIZE_MAX, 1), NR_BITS);
}

RUN_TESTS
