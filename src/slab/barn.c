/* barn.c - see barn.h. */
#include "slab/barn.h"

#include "core/lock.h"
#include "core/memblock.h"
#include "core/memcheck.h"

/* Arrays of 2^(3 + i) objects. */
#define SMALLEST_ARRAY_LOG2 3u
#define NR_ARRAY_SIZES 11u

static struct {
	struct batch *batches;
	void **arrays[NR_ARRAY_SIZES]; /* linked through their first word */
} barn;

struct batch *barn_get_batch(void)
{
	struct batch *batch;

	lock_acquire(LOCK_BARN);
	batch = barn.batches;
	if (batch)
		barn.batches = batch->next;
	lock_release(LOCK_BARN);
	return batch ? batch : memblock_alloc(sizeof(*batch));
}

void barn_put_batch(struct batch *batch)
{
	memcheck_forget(batch->objects, ARRAY_SIZE(batch->objects));
	lock_acquire(LOCK_BARN);
	batch->next = barn.batches;
	barn.batches = batch;
	lock_release(LOCK_BARN);
}

size_t barn_array_bytes(unsigned int capacity)
{
	return (capacity + 2) * sizeof(void *);
}

void **barn_get_array(unsigned int capacity)
{
	unsigned int i = ilog2(capacity) - SMALLEST_ARRAY_LOG2;
	void **array;

	lock_acquire(LOCK_BARN);
	array = barn.arrays[i];
	if (array)
		barn.arrays[i] = array[0];
	lock_release(LOCK_BARN);
	if (!array)
		array = memblock_alloc(barn_array_bytes(capacity));
	if (array) {
		array[0] = NULL;
		array[capacity + 1] = SHEAF_END;
	}
	return array;
}

void barn_put_array(void **array, unsigned int capacity)
{
	unsigned int i = ilog2(capacity) - SMALLEST_ARRAY_LOG2;

	memcheck_forget(array, capacity + 1);
	lock_acquire(LOCK_BARN);
	array[0] = barn.arrays[i];
	barn.arrays[i] = array;
	lock_release(LOCK_BARN);
}
