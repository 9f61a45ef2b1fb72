/*
 * load.h - the work that the tests of exhaustion do: blocks of all sizes that say whose they are.
 *
 * Any call may fail: then it is NULL and ENOMEM, and the block there was is intact. What succeeds
 * leaves errno alone, and so does every free. Speaks by write(2) only, through check.h.
 */
#ifndef HOSTILE_LOAD_H
#define HOSTILE_LOAD_H

#include <stdatomic.h>

#include "fuzz/tag.h"
#include "semantics/check.h"

#define LOAD_BLOCKS 48u
#define LOAD_ERRNO 12345

struct load_block {
	unsigned char *bytes;
	size_t size;
	uint64_t id;
};

/* What one thread works with; the places for exchange are everybody's. */
struct load {
	struct rng rng;
	uint64_t next_id;
	size_t max_size;
	unsigned long nr_failed;
	struct load_block blocks[LOAD_BLOCKS];
};

static struct load_block *_Atomic load_exchange[8];

static inline void load_init(struct load *load, uint64_t seed, size_t max_size)
{
	*load = (struct load){ .rng = { seed }, .next_id = seed << 32, .max_size = max_size };
}

/* Half of them small; every power of two up to max_size as often as any other. */
static inline size_t load_size(struct load *load)
{
	size_t bytes = (size_t)16 << rng_below(&load->rng, 19);

	if (rng_below(&load->rng, 2) || bytes > load->max_size)
		bytes = load->max_size < 2048 ? load->max_size : 2048;
	return rng_below(&load->rng, bytes) + 1;
}

static inline bool load_took(struct load *load, void *result, size_t bytes)
{
	if (result) {
		/* glibc's does when its heap cannot grow and a mapping helps. */
		CHECK(errno == LOAD_ERRNO || !on_stitchmalloc(),
		      "success with %zu bytes set errno to %d", bytes, errno);
		return true;
	}
	CHECK(errno == ENOMEM, "failure with %zu bytes set errno to %d", bytes, errno);
	errno = LOAD_ERRNO;
	load->nr_failed++;
	return false;
}

static inline void load_check(const struct load_block *block, size_t limit)
{
	size_t wrong = tag_block_check(block->bytes, block->id, block->size, limit);

	CHECK(wrong == TAG_OK, "byte %zu of a block of %zu bytes was changed", wrong, block->size);
}

/* Several ways to memory. */
static inline void load_alloc(struct load *load, struct load_block *block)
{
	size_t bytes = load_size(load);
	size_t align = (size_t)16 << rng_below(&load->rng, 10);
	void *aligned = NULL;

	errno = LOAD_ERRNO;
	switch (rng_below(&load->rng, 6)) {
	case 0:
		block->bytes = calloc(1, bytes);
		CHECK(!block->bytes || tag_block_zero(block->bytes, bytes) == TAG_OK,
		      "calloc of %zu bytes is not zero", bytes);
		break;
	case 1:
		block->bytes = memalign(align, bytes);
		CHECK((uintptr_t)block->bytes % align == 0, "memalign(%zu)", align);
		break;
	case 2:
		if (posix_memalign(&aligned, align, bytes))
			errno = ENOMEM;
		block->bytes = aligned;
		break;
	default:
		block->bytes = malloc(bytes);
		break;
	}
	if (!load_took(load, block->bytes, bytes))
		return;
	block->size = bytes;
	block->id = load->next_id += 2; /* even: every page is looked at */
	tag_block(block->bytes, block->id, bytes);
}

static inline void load_free(struct load_block *block)
{
	if (!block->bytes)
		return;
	load_check(block, block->size);
	errno = LOAD_ERRNO;
	free(block->bytes);
	CHECK(errno == LOAD_ERRNO, "free of %zu bytes set errno to %d", block->size, errno);
	block->bytes = NULL;
}

static inline void load_resize(struct load *load, struct load_block *block)
{
	size_t bytes = load_size(load);
	unsigned char *moved;

	errno = LOAD_ERRNO;
	moved = realloc(block->bytes, bytes);
	if (!load_took(load, moved, bytes)) {
		CHECK(bytes > block->size, "realloc from %zu to %zu bytes failed", block->size,
		      bytes);
		return;
	}
	block->bytes = moved;
	load_check(block, bytes);
	block->size = bytes;
	tag_block(moved, block->id, bytes);
}

/* The block goes to whoever comes next, and what somebody left is freed. */
static inline void load_pass_on(struct load *load, struct load_block *block)
{
	size_t place = rng_below(&load->rng, 8);
	struct load_block *parcel = malloc(sizeof(*parcel));

	if (!parcel)
		return;
	*parcel = *block;
	block->bytes = NULL;
	parcel = atomic_exchange(&load_exchange[place], parcel);
	if (!parcel)
		return;
	load_free(parcel);
	free(parcel);
}

static inline void load_work(struct load *load, unsigned int nr_ops)
{
	while (nr_ops--) {
		struct load_block *block = &load->blocks[rng_below(&load->rng, LOAD_BLOCKS)];

		switch (block->bytes ? rng_below(&load->rng, 6) : 0) {
		case 1:
		case 2:
			load_resize(load, block);
			break;
		case 3:
			load_pass_on(load, block);
			break;
		default:
			load_free(block);
			load_alloc(load, block);
			break;
		}
	}
}

static inline void load_end(struct load *load)
{
	for (unsigned int i = 0; i < LOAD_BLOCKS; i++)
		load_free(&load->blocks[i]);
}

/* By the last thread. */
static inline void load_end_exchange(void)
{
	for (unsigned int i = 0; i < 8; i++) {
		struct load_block *parcel = atomic_exchange(&load_exchange[i], NULL);

		if (!parcel)
			continue;
		load_free(parcel);
		free(parcel);
	}
}

#endif
