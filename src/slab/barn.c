/* barn.c - see barn.h. */
#include "slab/barn.h"

#include "core/lock.h"
#include "core/memblock.h"
#include "core/memcheck.h"
#include "os/os.h"

/* Arrays of 2^(3 + i) objects. */
#define SMALLEST_ARRAY_LOG2 3u
#define NR_ARRAY_SIZES 11u

/* Batches one behind the other, their pages dropped. Lies in the batch in front of the first. */
struct row {
	struct row *next;
	struct batch *first, *end;
};
_Static_assert(sizeof(struct row) <= sizeof(struct batch), "it takes the place of one");

static struct {
	struct batch *batches;
	struct row *rows;
	void **arrays[NR_ARRAY_SIZES]; /* linked through their first word */
} barn;

/* In the second word of an array: its pages were dropped. No object lies there. */
#define ARRAY_DROPPED ((void *)2)

static struct batch *take_from_row(void)
{
	struct row *row = barn.rows;

	if (!row)
		return NULL;
	if (row->end > row->first)
		return --row->end;
	barn.rows = row->next;
	return (struct batch *)row;
}

struct batch *barn_get_batch(void)
{
	struct batch *batch;

	lock_acquire(LOCK_BARN);
	batch = barn.batches;
	if (batch)
		barn.batches = batch->next;
	else
		batch = take_from_row();
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

/* --- trimming --------------------------------------------------------------------------------- */

/* Pages that lie in [start, end) as a whole. Returns how many were dropped. */
static size_t drop_between(void *start, void *end)
{
	uintptr_t first = align_up((uintptr_t)start, PAGE_SIZE);
	uintptr_t behind = align_down((uintptr_t)end, PAGE_SIZE);

	if (behind <= first || os_purge((void *)first, behind - first)) // NOLINT
		return 0;
	return (behind - first) / PAGE_SIZE;
}

/* Of two lists in ascending order one. */
static struct batch *merge(struct batch *a, struct batch *b)
{
	struct batch *merged = NULL, **end = &merged;

	while (a && b) {
		struct batch **lower = a < b ? &a : &b;

		*end = *lower;
		end = &(*end)->next;
		*lower = *end;
	}
	*end = a ? a : b;
	return merged;
}

/* By address. piles[i] is empty or has 2^i batches in order. */
static struct batch *sort(struct batch *list)
{
	struct batch *piles[32] = { NULL }, *next;
	unsigned int i;

	for (; list; list = next) {
		next = list->next;
		list->next = NULL;
		for (i = 0; i < ARRAY_SIZE(piles) - 1 && piles[i]; i++) {
			list = merge(piles[i], list);
			piles[i] = NULL;
		}
		piles[i] = merge(piles[i], list);
	}
	for (i = 0; i < ARRAY_SIZE(piles); i++)
		list = merge(list, piles[i]);
	return list;
}

/* Rows that are shorter are not worth a call. */
#define SHORTEST_ROW (4 * PAGE_SIZE / sizeof(struct batch))

/* first..last are one behind the other, and nobody else's. */
static size_t put_row(struct batch *first, struct batch *last)
{
	size_t nr_dropped = 0;
	struct row *row = (struct row *)first;

	if ((size_t)(last - first) >= SHORTEST_ROW)
		nr_dropped = drop_between(first + 1, last + 1);
	lock_acquire(LOCK_BARN);
	if (nr_dropped) {
		*row = (struct row){ barn.rows, first + 1, last + 1 };
		barn.rows = row;
	} else {
		last->next = barn.batches;
		barn.batches = first;
	}
	lock_release(LOCK_BARN);
	return nr_dropped;
}

static size_t trim_batches(void)
{
	struct batch *list, *last;
	size_t nr_dropped = 0;

	lock_acquire(LOCK_BARN);
	list = barn.batches;
	barn.batches = NULL;
	lock_release(LOCK_BARN);
	for (list = sort(list); list; ) {
		struct batch *first = list;

		for (last = first; last->next == last + 1; last++)
			;
		list = last->next;
		nr_dropped += put_row(first, last);
	}
	return nr_dropped;
}

static size_t trim_array(void **array, unsigned int capacity)
{
	size_t nr_dropped = 0;

	if (array[1] != ARRAY_DROPPED)
		nr_dropped = drop_between(array + 2, array + capacity + 2);
	if (nr_dropped)
		array[1] = ARRAY_DROPPED;
	return nr_dropped;
}

size_t barn_trim(void)
{
	size_t nr_dropped = trim_batches();

	lock_acquire(LOCK_BARN);
	for (unsigned int i = 0; i < NR_ARRAY_SIZES; i++)
		for (void **array = barn.arrays[i]; array; array = array[0])
			nr_dropped += trim_array(array, 1u << (SMALLEST_ARRAY_LOG2 + i));
	lock_release(LOCK_BARN);
	return nr_dropped;
}
