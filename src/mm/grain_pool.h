/*
 * grain_pool.h - objects of any size, up to that of an extent, in memory that somebody brings:
 * no lock, no system call, no page fault of its own, in a signal handler too.
 *
 * L3. An extent is cut into cells of 2 KiB, each with one word: for each of its 32 grains of 64
 * bytes whether it is taken, and whether it is the last of an object. A small object is taken and
 * freed by one compare and swap. A larger one has whole cells, all taken, with the one end in the
 * last: they are taken from the last down, and freed from the first up, so that at any instant a
 * cell that is taken without an end in it is followed by another of the same object.
 *
 * Extents are only ever added; those below nr_extents are whole and stay as they are.
 *
 * Counting: nr_free is the number of grains that are not taken, or less while somebody is about to
 * take or has just freed some.
 */
#ifndef MM_GRAIN_POOL_H
#define MM_GRAIN_POOL_H

#include "mm/mm_types.h"

#define GRAIN_ALIGN 64u
#define GRAIN_CELL_BYTES ((size_t)GRAIN_ALIGN * 32)

struct grain_extent {
	char *start;
	size_t nr_cells;
	_Atomic uint64_t *cells;
	_Atomic size_t hint; /* a cell that has something free, perhaps */
};

struct grain_pool {
	struct grain_extent *extents;
	size_t max_bytes; /* of an object and its alignment */
	_Atomic unsigned int nr_extents;
	_Atomic size_t nr_grains, nr_free;
};

/*
 * Lock-free and signal-safe, as is all that follows but grain_pool_add. Not zeroed; aligned to 64
 * and to align, a power of two up to max_bytes. NULL: there is none that leaves so many bytes
 * free.
 */
void *grain_pool_alloc(struct grain_pool *pool, size_t bytes, size_t align, size_t bytes_left);

/* Any address. False: no live object starts there. */
bool grain_pool_free(struct grain_pool *pool, void *object);

/* Usable bytes of the live object that starts there; 0: none does. Any address. */
size_t grain_pool_size(struct grain_pool *pool, const void *object);

/* The live object that the address lies in; false: none. While nobody allocates or frees. */
bool grain_pool_object_at(struct grain_pool *pool, uintptr_t address, uintptr_t *start,
			  size_t *bytes);

/* In bytes. */
size_t grain_pool_total(const struct grain_pool *pool);
size_t grain_pool_bytes_free(const struct grain_pool *pool);

/*
 * One extent more, for which pool->extents has room. cells: a word for each GRAIN_CELL_BYTES of it.
 * One caller at a time.
 */
void grain_pool_add(struct grain_pool *pool, uint64_t *cells, void *start, size_t bytes);

/*
 * Take an extent that is free as a whole out of the count, and back. False: it is not free, or less
 * than bytes_left would be. To grain_pool_free and grain_pool_size it is one object meanwhile.
 * One caller at a time.
 */
bool grain_pool_withdraw(struct grain_pool *pool, unsigned int i, size_t bytes_left);
void grain_pool_give_back(struct grain_pool *pool, unsigned int i);

/* Just these bytes, whole cells. False: they are not free. */
bool grain_pool_take_at(struct grain_pool *pool, void *start, size_t bytes);

/* Objects of whole cells that lie one behind the other become one. They are the caller's. */
void grain_pool_join(struct grain_pool *pool, void *start, size_t bytes);

#endif
