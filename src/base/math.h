/*
 * math.h - alignment and powers of two.
 *
 * L0. `align` is always a power of two.
 */
#ifndef BASE_MATH_H
#define BASE_MATH_H

#include "base/compiler.h"

static inline bool is_power_of_two(size_t n)
{
	return n && !(n & (n - 1));
}

static inline size_t align_down(size_t n, size_t align)
{
	return n & ~(align - 1);
}

/* Wraps to 0 above SIZE_MAX - align + 1; callers bound n first. */
static inline size_t align_up(size_t n, size_t align)
{
	return align_down(n + align - 1, align);
}

static inline bool is_aligned(size_t n, size_t align)
{
	return !(n & (align - 1));
}

static inline size_t div_round_up(size_t n, size_t d)
{
	return (n + d - 1) / d;
}

/* Position of the highest set bit; n != 0. */
static inline unsigned int ilog2(size_t n)
{
	return 63u - (unsigned int)__builtin_clzll(n);
}

/* The largest power of two that divides n; n != 0. */
static inline size_t lowest_bit(size_t n)
{
	return n & -n;
}

/* Smallest power of two >= n; 1 <= n <= 2^63. */
static inline size_t roundup_pow_of_two(size_t n)
{
	return n <= 1 ? 1 : (size_t)2 << ilog2(n - 1);
}

/*
 * Set bits. By arithmetic: the baseline instruction set has no popcnt, and the compiler's
 * fallback is a call into libgcc, which the library is not linked with.
 */
static inline unsigned int popcount64(uint64_t word)
{
	word -= word >> 1 & 0x5555555555555555u;
	word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
	word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
	return (unsigned int)(word * 0x0101010101010101u >> 56);
}

static inline size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t max_size(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* Rounded down; n is below 2^63. */
static inline size_t int_sqrt(size_t n)
{
	size_t root = 0;

	for (size_t bit = (size_t)1 << 31; bit; bit >>= 1)
		if ((root | bit) * (root | bit) <= n)
			root |= bit;
	return root;
}

static inline size_t clamp_size(size_t n, size_t low, size_t high)
{
	return min_size(max_size(n, low), high);
}

#endif
