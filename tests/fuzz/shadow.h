/*
 * shadow.h - one bit for every 16 bytes of address space: does a live block own them?
 *
 * A block claims all its usable bytes when it is handed out and releases them just before it is
 * freed. A claim that finds a bit set is two live blocks on one byte; a release that finds one
 * clear is a block that nobody handed out. The bits are sharded by address and changed by atomic
 * operations, so that the threads of a test do not wait for each other here, where the
 * allocator's races are to show. Leaves (8 MiB for 1 GiB of addresses) are mapped at first use.
 */
#ifndef TESTS_FUZZ_SHADOW_H
#define TESTS_FUZZ_SHADOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SHADOW_GRANULE 16u
#define SHADOW_LEAF_SHIFT 30u
#define SHADOW_ADDRESS_BITS 47u
#define SHADOW_LEAF_BYTES ((size_t)1 << (SHADOW_LEAF_SHIFT - 7))
#define SHADOW_NR_LEAVES ((size_t)1 << (SHADOW_ADDRESS_BITS - SHADOW_LEAF_SHIFT))

typedef _Atomic uint64_t shadow_word;

static shadow_word *_Atomic shadow_leaves[SHADOW_NR_LEAVES];

static inline shadow_word *shadow_leaf(uintptr_t address)
{
	shadow_word *_Atomic *entry = &shadow_leaves[address >> SHADOW_LEAF_SHIFT];
	shadow_word *leaf = atomic_load(entry);
	shadow_word *fresh;

	if (leaf)
		return leaf;
	fresh = mmap(NULL, SHADOW_LEAF_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fresh == MAP_FAILED) {
		perror("shadow: mmap");
		exit(1);
	}
	if (atomic_compare_exchange_strong(entry, &leaf, fresh))
		return fresh;
	munmap(fresh, SHADOW_LEAF_BYTES);
	return leaf;
}

/* The word of a granule and the bits of it from this granule up to `end`; advances *granule. */
static inline shadow_word *shadow_step(uintptr_t *granule, uintptr_t end, uint64_t *mask)
{
	uintptr_t at = *granule;
	uintptr_t next = (at | 63) + 1;
	size_t index = at / 64 % (SHADOW_LEAF_BYTES / 8);

	if (next > end)
		next = end;
	*mask = (~(uint64_t)0 >> (64 - (next - at))) << (at % 64);
	*granule = next;
	return shadow_leaf(at * SHADOW_GRANULE) + index;
}

static inline uintptr_t shadow_end(const void *block, size_t bytes)
{
	return ((uintptr_t)block + bytes + SHADOW_GRANULE - 1) / SHADOW_GRANULE;
}

/* NULL, or the first address of the range that a live block owns already. */
static inline void *shadow_claim(const void *block, size_t bytes)
{
	uintptr_t granule = (uintptr_t)block / SHADOW_GRANULE;
	uintptr_t end = shadow_end(block, bytes);

	while (granule < end) {
		uintptr_t first = granule & ~(uintptr_t)63;
		uint64_t mask;
		shadow_word *word = shadow_step(&granule, end, &mask);
		uint64_t taken = atomic_fetch_or(word, mask) & mask;

		if (taken)
			return (void *)((first + (unsigned int)__builtin_ctzll(taken)) *
					SHADOW_GRANULE);
	}
	return NULL;
}

/* NULL, or the first address of the range that was not claimed. */
static inline void *shadow_release(const void *block, size_t bytes)
{
	uintptr_t granule = (uintptr_t)block / SHADOW_GRANULE;
	uintptr_t end = shadow_end(block, bytes);

	while (granule < end) {
		uintptr_t first = granule & ~(uintptr_t)63;
		uint64_t mask;
		shadow_word *word = shadow_step(&granule, end, &mask);
		uint64_t missing = ~atomic_fetch_and(word, ~mask) & mask;

		if (missing)
			return (void *)((first + (unsigned int)__builtin_ctzll(missing)) *
					SHADOW_GRANULE);
	}
	return NULL;
}

#endif
