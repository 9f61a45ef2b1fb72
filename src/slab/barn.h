/*
 * barn.h - spare batches and sheaf arrays, for whoever needs one next.
 *
 * L4. Named after the kernel's node_barn. What is empty is kept here: the number of batches and
 * arrays is bounded by what was in use at once. Their frames go back when the heap is trimmed.
 * LOCK_BARN.
 */
#ifndef SLAB_BARN_H
#define SLAB_BARN_H

#include "slab/slot.h"

/* An empty batch; NULL: no memory. */
struct batch *barn_get_batch(void);
void barn_put_batch(struct batch *batch);

/* Bytes of a sheaf array for `capacity` objects, sentinels included. */
size_t barn_array_bytes(unsigned int capacity);

/* An array with its sentinels set. capacity: a power of two, 8..8192. NULL: no memory. */
void **barn_get_array(unsigned int capacity);
void barn_put_array(void **array, unsigned int capacity);

/* Drop the pages of what is kept. Returns how many. */
size_t barn_trim(void);

#endif
