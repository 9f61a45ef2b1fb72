/* chain.h - any number of blocks without a table: each has the address of the one before. */
#ifndef BENCH_CHAIN_H
#define BENCH_CHAIN_H

#include <string.h>

#include "bench.h"

struct block {
	struct block *next;
};

/* Written in full. */
static inline struct block *chain_add(struct block *first, size_t size)
{
	struct block *block = memset(bench_malloc(size), 1, size);

	block->next = first;
	return block;
}

static inline void chain_free(struct block *block)
{
	while (block) {
		struct block *next = block->next;

		free(block);
		block = next;
	}
}

#endif
