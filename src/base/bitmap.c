/*
 * bitmap.c - ranges of bits and searches, a word at a time.
 *
 * L0. Freestanding.
 */
#include "base/bitmap.h"
#include "base/math.h"

/* A range's part in one word. */
struct piece {
	size_t word;
	uint64_t mask;
};

/* Cut the first word's share off the range; false when the range is used up. */
static inline bool next_piece(size_t *first, size_t *nr, struct piece *piece)
{
	size_t offset = *first % BITMAP_WORD_BITS;
	size_t here = min_size(*nr, BITMAP_WORD_BITS - offset);

	if (!*nr)
		return false;
	piece->word = *first / BITMAP_WORD_BITS;
	piece->mask = (~(uint64_t)0 >> (BITMAP_WORD_BITS - here)) << offset;
	*first += here;
	*nr -= here;
	return true;
}

void bitmap_set_range(uint64_t *words, size_t first, size_t nr)
{
	struct piece piece;

	while (next_piece(&first, &nr, &piece))
		words[piece.word] |= piece.mask;
}

void bitmap_clear_range(uint64_t *words, size_t first, size_t nr)
{
	struct piece piece;

	while (next_piece(&first, &nr, &piece))
		words[piece.word] &= ~piece.mask;
}

bool bitmap_test_range_any(const uint64_t *words, size_t first, size_t nr)
{
	struct piece piece;

	while (next_piece(&first, &nr, &piece)) {
		if (words[piece.word] & piece.mask)
			return true;
	}
	return false;
}

bool bitmap_test_range_all(const uint64_t *words, size_t first, size_t nr)
{
	struct piece piece;

	while (next_piece(&first, &nr, &piece)) {
		if (~words[piece.word] & piece.mask)
			return false;
	}
	return true;
}

size_t bitmap_count_range(const uint64_t *words, size_t first, size_t nr)
{
	struct piece piece;
	size_t count = 0;

	while (next_piece(&first, &nr, &piece))
		count += popcount64(words[piece.word] & piece.mask);
	return count;
}

/* The first bit that is set after every word went through `^ flip`. */
static inline size_t find_next(const uint64_t *words, size_t nr_bits, size_t from, uint64_t flip)
{
	size_t word = from / BITMAP_WORD_BITS;
	uint64_t bits;

	if (from >= nr_bits)
		return nr_bits;
	bits = (words[word] ^ flip) & (~(uint64_t)0 << (from % BITMAP_WORD_BITS));
	while (!bits) {
		if (++word * BITMAP_WORD_BITS >= nr_bits)
			return nr_bits;
		bits = words[word] ^ flip;
	}
	return min_size(word * BITMAP_WORD_BITS + (size_t)__builtin_ctzll(bits), nr_bits);
}

size_t bitmap_find_next_set(const uint64_t *words, size_t nr_bits, size_t from)
{
	return find_next(words, nr_bits, from, 0);
}

size_t bitmap_find_next_zero(const uint64_t *words, size_t nr_bits, size_t from)
{
	return find_next(words, nr_bits, from, ~(uint64_t)0);
}

size_t bitmap_find_zero_area(const uint64_t *words, size_t nr_bits, size_t from, size_t nr,
			     size_t align)
{
	for (;;) {
		size_t start = align_up(bitmap_find_next_zero(words, nr_bits, from), align);
		size_t end;

		if (start >= nr_bits || nr > nr_bits - start)
			return nr_bits;
		end = bitmap_find_next_set(words, start + nr, start);
		if (end == start + nr)
			return start;
		from = end + 1;
	}
}
