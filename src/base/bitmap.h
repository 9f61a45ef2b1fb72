/*
 * bitmap.h - arrays of bits in 64-bit words.
 *
 * L0. Bit i is bit i % 64 of words[i / 64]. Not atomic: the caller provides any locking. Bits
 * behind the last one that a call names are never read as bits nor changed.
 */
#ifndef BASE_BITMAP_H
#define BASE_BITMAP_H

#include "base/compiler.h"

#define BITMAP_WORD_BITS 64u
#define BITMAP_WORDS(nr_bits) (((nr_bits) + BITMAP_WORD_BITS - 1) / BITMAP_WORD_BITS)

static inline uint64_t bitmap_bit(size_t bit)
{
	return (uint64_t)1 << (bit % BITMAP_WORD_BITS);
}

static inline bool bitmap_test(const uint64_t *words, size_t bit)
{
	return words[bit / BITMAP_WORD_BITS] & bitmap_bit(bit);
}

static inline void bitmap_set(uint64_t *words, size_t bit)
{
	words[bit / BITMAP_WORD_BITS] |= bitmap_bit(bit);
}

static inline void bitmap_clear(uint64_t *words, size_t bit)
{
	words[bit / BITMAP_WORD_BITS] &= ~bitmap_bit(bit);
}

/* The `nr` bits from `first` on; nr may be 0 (any: false, all: true). */
void bitmap_set_range(uint64_t *words, size_t first, size_t nr);
void bitmap_clear_range(uint64_t *words, size_t first, size_t nr);
bool bitmap_test_range_any(const uint64_t *words, size_t first, size_t nr);
bool bitmap_test_range_all(const uint64_t *words, size_t first, size_t nr);
size_t bitmap_count_range(const uint64_t *words, size_t first, size_t nr);

/* The first set (clear) bit at or behind `from`, nr_bits when there is none. */
size_t bitmap_find_next_set(const uint64_t *words, size_t nr_bits, size_t from);
size_t bitmap_find_next_zero(const uint64_t *words, size_t nr_bits, size_t from);

/*
 * The first index at or behind `from` that is a multiple of `align` (a power of two) and starts
 * `nr` (> 0) clear bits; nr_bits when there is none.
 */
size_t bitmap_find_zero_area(const uint64_t *words, size_t nr_bits, size_t from, size_t nr,
			     size_t align);

#endif
