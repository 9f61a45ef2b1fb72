/*
 * lowmem_counts.h - what a zone of mm/lowmem.h has, in bytes.
 */
#ifndef TESTS_LOWMEM_COUNTS_H
#define TESTS_LOWMEM_COUNTS_H

#include "mm/lowmem.h"

#define CHUNK LOWMEM_CHUNK_BYTES

static inline size_t total_of(enum lowmem_zone type)
{
	size_t total, free;

	lowmem_count(type, &total, &free);
	return total;
}

static inline size_t free_of(enum lowmem_zone type)
{
	size_t total, free;

	lowmem_count(type, &total, &free);
	return free;
}

#endif
