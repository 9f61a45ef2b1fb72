/*
 * test_math.c - alignment and powers of two at their edges.
 */
#include "base/math.h"
#include "kunit.h"

TEST(powers_of_two)
{
	EXPECT(!is_power_of_two(0));
	for (unsigned int i = 0; i < 64; i++) {
		size_t power = (size_t)1 << i;

		EXPECT(is_power_of_two(power));
		EXPECT(i < 2 || !is_power_of_two(power - 1));
		EXPECT(i < 1 || i > 62 || !is_power_of_two(power + 1));
		EXPECT_EQ(ilog2(power), i);
		EXPECT_EQ(ilog2(power | (power - 1)), i);
		EXPECT_EQ(lowest_bit(power), power);
		EXPECT_EQ(lowest_bit(SIZE_MAX << i), power);
		EXPECT_EQ(roundup_pow_of_two(power), power);
		EXPECT(i < 2 || roundup_pow_of_two(power - 1) == power);
		EXPECT(i < 1 || i > 62 || roundup_pow_of_two(power + 1) == power * 2);
	}
}

TEST(alignment)
{
	for (size_t align = 1; align <= 64; align *= 2) {
		for (size_t n = 0; n < 200; n++) {
			EXPECT_EQ(align_down(n, align), n / align * align);
			EXPECT_EQ(align_up(n, align), (n + align - 1) / align * align);
			EXPECT_EQ(is_aligned(n, align), n % align == 0);
		}
	}
	EXPECT_EQ(align_up(SIZE_MAX - 4095, 4096), SIZE_MAX - 4095);
	EXPECT_EQ(align_up(SIZE_MAX - 4094, 4096), 0);
}

TEST(division_and_bounds)
{
	EXPECT_EQ(div_round_up(0, 7), 0);
	EXPECT_EQ(div_round_up(1, 7), 1);
	EXPECT_EQ(div_round_up(7, 7), 1);
	EXPECT_EQ(div_round_up(8, 7), 2);
	EXPECT_EQ(min_size(3, SIZE_MAX), 3);
	EXPECT_EQ(max_size(3, SIZE_MAX), SIZE_MAX);
	EXPECT_EQ(clamp_size(5, 1, 9), 5);
	EXPECT_EQ(clamp_size(0, 1, 9), 1);
	EXPECT_EQ(clamp_size(10, 1, 9), 9);
}

RUN_TESTS
