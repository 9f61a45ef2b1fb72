/*
 * tag.h - every byte of a block says whose it is: a function of the owner's id and the offset.
 *
 * Blocks up to TAG_FULL_BYTES are tagged in every byte. Larger ones are tagged where an allocator
 * goes wrong: the first and last bytes of each page, one more place in it that the id picks, and
 * the end of the block. Large blocks with an odd id are tagged in one page of eight only, which
 * leaves pages that nobody ever touched. Uses nothing but memcpy.
 */
#ifndef TESTS_FUZZ_TAG_H
#define TESTS_FUZZ_TAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TAG_FULL_BYTES ((size_t)64 << 10)
#define TAG_SPARSE_BYTES ((size_t)1 << 20)
#define TAG_PAGE 4096u
#define TAG_EDGE 16u /* bytes tagged at each end of a page */
#define TAG_OK SIZE_MAX

struct rng {
	uint64_t state;
};

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t mix64(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static inline uint64_t rng_next(struct rng *rng)
{
	rng->state += 0x9e3779b97f4a7c15u;
	return mix64(rng->state);
}

static inline size_t rng_below(struct rng *rng, size_t limit)
{
	return rng_next(rng) % limit;
}

static inline uint64_t tag_word(uint64_t key, size_t offset)
{
	return key + (offset / 8) * 0xd1342543de82ef95u;
}

static inline unsigned char tag_byte(uint64_t key, size_t offset)
{
	return (unsigned char)(tag_word(key, offset) >> (offset % 8 * 8));
}

static inline void tag_fill(unsigned char *block, uint64_t key, size_t from, size_t to)
{
	for (; from < to && from % 8; from++)
		block[from] = tag_byte(key, from);
	for (; from + 8 <= to; from += 8) {
		uint64_t word = tag_word(key, from);

		memcpy(block + from, &word, 8);
	}
	for (; from < to; from++)
		block[from] = tag_byte(key, from);
}

/* The offset of the first wrong byte, or TAG_OK. */
static inline size_t tag_check(const unsigned char *block, uint64_t key, size_t from, size_t to)
{
	for (; from < to; from++) {
		uint64_t word;

		while (from % 8 == 0 && from + 8 <= to) {
			memcpy(&word, block + from, 8);
			if (word != tag_word(key, from))
				break;
			from += 8;
		}
		if (from < to && block[from] != tag_byte(key, from))
			return from;
	}
	return TAG_OK;
}

static inline size_t zero_check(const unsigned char *block, uint64_t key, size_t from, size_t to)
{
	(void)key;
	for (; from < to; from++)
		if (block[from])
			return from;
	return TAG_OK;
}

/*
 * Walk the places of a block of `bytes` bytes that carry tags, as far as `limit`, and apply
 * visit to each until it answers something else than TAG_OK.
 */
static inline size_t tag_walk(unsigned char *block, uint64_t id, size_t bytes, size_t limit,
			      size_t (*visit)(unsigned char *, uint64_t, size_t, size_t))
{
	uint64_t key = mix64(id + 1);
	bool sparse = bytes > TAG_SPARSE_BYTES && id % 2;
	size_t bad = TAG_OK;

	if (limit > bytes)
		limit = bytes;
	if (bytes <= TAG_FULL_BYTES)
		return visit(block, key, 0, limit);
	for (size_t page = 0; page < bytes && bad == TAG_OK; page += TAG_PAGE) {
		uint64_t place = mix64(key ^ page);
		size_t spans[3] = { page, page + place % (TAG_PAGE - TAG_EDGE),
				    page + TAG_PAGE - TAG_EDGE };

		if (sparse && (place >> 32) % 8)
			continue;
		for (size_t i = 0; i < 3 && bad == TAG_OK; i++) {
			size_t to = spans[i] + TAG_EDGE;

			bad = visit(block, key, spans[i], to < limit ? to : limit);
		}
	}
	if (bad != TAG_OK)
		return bad;
	return visit(block, key, bytes - TAG_EDGE, limit);
}

static inline size_t tag_visit_fill(unsigned char *block, uint64_t key, size_t from, size_t to)
{
	tag_fill(block, key, from, to);
	return TAG_OK;
}

static inline size_t tag_visit_check(unsigned char *block, uint64_t key, size_t from, size_t to)
{
	return tag_check(block, key, from, to);
}

static inline size_t tag_visit_zero(unsigned char *block, uint64_t key, size_t from, size_t to)
{
	return zero_check(block, key, from, to);
}

static inline void tag_block(void *block, uint64_t id, size_t bytes)
{
	tag_walk(block, id, bytes, bytes, tag_visit_fill);
}

/* Check the first `limit` bytes of a block that was tagged with `bytes` bytes. */
static inline size_t tag_block_check(void *block, uint64_t id, size_t bytes, size_t limit)
{
	return tag_walk(block, id, bytes, limit, tag_visit_check);
}

/* An even id: every page is looked at. */
static inline size_t tag_block_zero(void *block, size_t bytes)
{
	return tag_walk(block, 0, bytes, bytes, tag_visit_zero);
}

#endif
