/*
 * model_bitmap.c - every operation of base/bitmap against one byte a bit.
 */
#include "base/bitmap.h"
#include "base/math.h"
#include "kunit.h"

/* Not a multiple of 64: the searches must stop inside a word. */
#define NR_BITS 330u
#define NR_WORDS BITMAP_WORDS(NR_BITS)
#define CANARY 0x5aa5c33c0ff0e11eu

/* One word more than needed, to see that it is never touched. */
static uint64_t words[NR_WORDS + 1];
static bool twin[NR_BITS];

static void check_all(void)
{
	uint64_t expected[NR_WORDS] = { 0 };

	for (size_t bit = 0; bit < NR_BITS; bit++)
		expected[bit / 64] |= (uint64_t)twin[bit] << bit % 64;
	/* What lies behind the last bit is nobody's: set at the start, it stays set. */
	expected[NR_WORDS - 1] |= ~(uint64_t)0 << NR_BITS % 64;
	ASSERT(!memcmp(words, expected, sizeof(expected)));
	ASSERT_EQ(words[NR_WORDS], CANARY);
}

static size_t twin_count(size_t first, size_t nr)
{
	size_t count = 0;

	for (size_t i = 0; i < nr; i++)
		count += twin[first + i];
	return count;
}

static size_t twin_find(size_t from, bool value)
{
	while (from < NR_BITS && twin[from] != value)
		from++;
	return min_size(from, NR_BITS);
}

static size_t twin_find_area(size_t from, size_t nr, size_t align)
{
	for (size_t start = from; start < NR_BITS && nr <= NR_BITS - start; start++) {
		if (start % align == 0 && !twin_count(start, nr))
			return start;
	}
	return NR_BITS;
}

/* Short ranges are as frequent as long ones. */
static size_t random_length(uint64_t *random, size_t most)
{
	return min_size(kunit_below(random, (uint64_t)1 << kunit_below(random, 10)), most);
}

static void change(uint64_t *random, size_t first, size_t nr)
{
	switch (kunit_below(random, 4)) {
	case 0:
		bitmap_set(words, first);
		twin[first] = true;
		break;
	case 1:
		bitmap_clear(words, first);
		twin[first] = false;
		break;
	case 2:
		bitmap_set_range(words, first, nr);
		memset(twin + first, true, nr);
		break;
	case 3:
		bitmap_clear_range(words, first, nr);
		memset(twin + first, false, nr);
		break;
	}
	check_all();
}

static void ask(uint64_t *random, size_t first, size_t nr)
{
	size_t align = (size_t)1 << kunit_below(random, 8);
	size_t count = twin_count(first, nr);

	switch (kunit_below(random, 4)) {
	case 0:
		ASSERT_EQ(bitmap_test(words, first), twin[first]);
		ASSERT_EQ(bitmap_count_range(words, first, nr), count);
		break;
	case 1:
		ASSERT_EQ(bitmap_test_range_any(words, first, nr), count > 0);
		ASSERT_EQ(bitmap_test_range_all(words, first, nr), count == nr);
		break;
	case 2:
		ASSERT_EQ(bitmap_find_next_set(words, NR_BITS, first), twin_find(first, true));
		ASSERT_EQ(bitmap_find_next_zero(words, NR_BITS, first), twin_find(first, false));
		break;
	case 3:
		ASSERT_EQ(bitmap_find_zero_area(words, NR_BITS, first, nr + 1, align),
			  twin_find_area(first, nr + 1, align));
		break;
	}
}

TEST(model_of_an_array_of_bits)
{
	uint64_t random = kunit_seed();
	uint64_t nr_ops = kunit_ops(1000000);

	words[NR_WORDS - 1] = ~(uint64_t)0 << NR_BITS % 64;
	words[NR_WORDS] = CANARY;
	for (uint64_t op = 0; op < nr_ops; op++) {
		size_t first = kunit_below(&random, NR_BITS);
		size_t nr = random_length(&random, NR_BITS - first);

		if (kunit_below(&random, 2))
			change(&random, first, nr);
		else
			ask(&random, first, nr);
	}
}

RUN_TESTS
