/* sheaf.c - see sheaf.h. */
#include "slab/sheaf.h"

#include <string.h>

#include "core/params.h"
#include "slab/barn.h"
#include "slab/remote.h"
#include "slab/slab.h"

/* A sheaf's first capacity, and after how many misses it doubles. */
#define FIRST_CAPACITY 16u
#define MISSES_PER_GROWTH 4u
/*
 * Objects that one miss moves at most: enough to spread its cost (200 instructions), few enough
 * that what was fetched is used and what was cached stays.
 */
#define MAX_REFILL 256u
#define MAX_FLUSH 1024u
/* Objects that a flush leaves though they were freed last: 4 KiB of 64 bytes each. */
#define NR_WARM 64u
/* Flushed without a refill, times its capacity: the thread only frees, and the sheaf shrinks. */
#define FREES_PER_SHRINK 2u
/* Who allocates so often from a closed sheaf before the next tick is busy. */
#define BUSY_VISITS 256u
/* Freed within a tick they close sheaves once more. To touch as many takes a millisecond. */
#define MUCH_FREED_PAGES 4096u
/* Larger objects are given up when the heap grows: a few of each class are a megabyte. */
#define SMALL_BYTES 128u
/* A busy thread's arrays may take this share of its slabs on top of params.sheaf_budget. */
#define BUDGET_PER_SLAB_BYTES 8u

unsigned int sheaf_count(const struct slot *slot, unsigned int class)
{
	const struct slot_class *cache = &slot->class[class];
	unsigned int capacity = READ_ONCE(cache->capacity);
	ptrdiff_t count = READ_ONCE(slot->top[class]) - READ_ONCE(cache->sheaf) - 1;

	if (sheaf_is_closed(slot, class))
		count = READ_ONCE(cache->nr_hidden);
	return count > 0 && capacity ? (unsigned int)min_size((size_t)count, capacity) : 0;
}

/* The shared slot passes from thread to thread and never has sheaves. */
static bool is_direct(const struct slot *slot)
{
	return slot->state == SLOT_SHARED;
}

static size_t budget_of(const struct slot *slot)
{
	return params.sheaf_budget + slot->nr_slab_pages * PAGE_SIZE / BUDGET_PER_SLAB_BYTES;
}

/*
 * In one instruction: a signal handler takes an object before or finds the sheaf closed. So all
 * that moves more than one object is done to a closed sheaf: a handler of the thread finds it
 * empty and full, and as its thread is in a slow path it is served elsewhere.
 */
static void close_sheaf(struct slot *slot, unsigned int class)
{
	struct slot_class *cache = &slot->class[class];
	void **top;

	if (!cache->capacity || sheaf_is_closed(slot, class))
		return;
	top = __atomic_exchange_n(&slot->top[class], slot_none.top[class], __ATOMIC_RELAXED);
	WRITE_ONCE(cache->nr_hidden, (uint16_t)(top - cache->sheaf - 1));
}

/* False: it is open already. */
static bool open_sheaf(struct slot *slot, unsigned int class)
{
	struct slot_class *cache = &slot->class[class];
	unsigned int nr = cache->nr_hidden;

	if (!sheaf_is_closed(slot, class))
		return false;
	WRITE_ONCE(cache->nr_hidden, 0);
	WRITE_ONCE(slot->top[class], cache->sheaf + 1 + nr);
	return true;
}

/* Move the sheaf to an array of another size, if it holds no more and there is memory. */
static void resize(struct slot *slot, unsigned int class, unsigned int capacity)
{
	struct slot_class *cache = &slot->class[class];
	unsigned int old_capacity = cache->capacity;
	void **array = barn_get_array(capacity), **old = cache->sheaf;

	if (!array)
		return;
	close_sheaf(slot, class);
	if (cache->nr_hidden > capacity) {
		open_sheaf(slot, class);
		barn_put_array(array, capacity);
		return;
	}
	if (cache->nr_hidden)
		memcpy(array + 1, old + 1, cache->nr_hidden * sizeof(*array));
	WRITE_ONCE(cache->sheaf, array);
	WRITE_ONCE(cache->capacity, (uint16_t)capacity);
	open_sheaf(slot, class);
	slot->sheaf_bytes += (uint32_t)barn_array_bytes(capacity);
	if (old_capacity) {
		slot->sheaf_bytes -= (uint32_t)barn_array_bytes(old_capacity);
		barn_put_array(old, old_capacity);
	}
}

/*
 * Twice the size, if budget and memory allow. The first array is free of the budget: 64 classes
 * with 16 pointers each are 8 KiB.
 */
static void grow(struct slot *slot, unsigned int class)
{
	struct slot_class *cache = &slot->class[class];
	unsigned int limit = size_classes[class].max_cached, capacity = 2 * cache->capacity;
	size_t more = barn_array_bytes(capacity) - barn_array_bytes(cache->capacity);

	cache->nr_misses = 0;
	if (is_direct(slot) || capacity > limit)
		return;
	if (!capacity)
		resize(slot, class, (unsigned int)min_size(FIRST_CAPACITY, limit));
	else if (slot->sheaf_bytes + more <= budget_of(slot))
		resize(slot, class, capacity);
}

/* Back to the empty sheaf; whoever grows next gets the array. The sheaf holds nothing. */
static void give_up(struct slot *slot, unsigned int class)
{
	struct slot_class *cache = &slot->class[class];
	unsigned int capacity = cache->capacity;

	slot->sheaf_bytes -= (uint32_t)barn_array_bytes(capacity);
	WRITE_ONCE(slot->top[class], slot_none.top[class]);
	WRITE_ONCE(cache->capacity, 0);
	cache->nr_misses = 0;
	cache->nr_flushed = 0;
	barn_put_array(cache->sheaf, capacity);
}

/* All its objects. It is closed and empty then. */
static void hand_back(struct slot *slot, unsigned int class)
{
	struct slot_class *cache = &slot->class[class];

	close_sheaf(slot, class);
	slab_put_bulk(slot, class, cache->sheaf + 1, cache->nr_hidden);
	memcheck_forget(cache->sheaf + 1, cache->nr_hidden);
	WRITE_ONCE(cache->nr_hidden, 0);
}

/* Nothing was allocated from it since it was closed: what it holds keeps slabs for nothing. */
static bool is_idle(const struct slot *slot, unsigned int class)
{
	return sheaf_is_closed(slot, class) &&
	       slot->class[class].nr_visits == VISITS_PER_LOOK - 1;
}

static void close_all(struct slot *slot)
{
	pcp_give_up_long(&slot->pcp);
	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++) {
		if (is_idle(slot, class))
			hand_back(slot, class);
		else
			close_sheaf(slot, class);
		slot->class[class].nr_visits = VISITS_PER_LOOK - 1; /* the next one looks */
	}
}

/* What is freed so much of comes of a phase of frees, the last thing that a quiet program did. */
void sheaves_close_in_time(struct slot *slot)
{
	size_t nr_free = READ_ONCE(zone.nr_free_touched);
	uint16_t now = READ_ONCE(zone.now);

	if (slot->closed_at != now || nr_free > slot->nr_free_seen + MUCH_FREED_PAGES) {
		close_all(slot);
		slot->closed_at = now;
		slot->nr_free_seen = nr_free;
	}
	slot->nr_free_seen = min_size(slot->nr_free_seen, nr_free);
}

static void note_miss(struct slot *slot, unsigned int class)
{
	struct slot_class *cache = &slot->class[class];

	if (!cache->capacity || ++cache->nr_misses >= MISSES_PER_GROWTH)
		grow(slot, class);
}

static void *alloc_direct(struct slot *slot, unsigned int class)
{
	void *object;

	return slab_take_bulk(slot, class, &object, 1) ? object : NULL;
}

/*
 * A slab is to be made, and the heap has grown: parts of others lie in sheaves. Of small objects it
 * takes too many to make a page; and a class's last slab would stay.
 */
static void give_up_large(struct slot *slot)
{
	for (unsigned int class = NR_SIZE_CLASSES; size_classes[--class].size > SMALL_BYTES; ) {
		struct slot_class *cache = &slot->class[class];
		bool was_closed = sheaf_is_closed(slot, class);

		if (!sheaf_count(slot, class))
			continue;
		hand_back(slot, class);
		if (!was_closed)
			open_sheaf(slot, class);
		cache->nr_misses = 0; /* the next one is not for want of room */
	}
	slab_trim_last(slot);
}

static void refill(struct slot *slot, unsigned int class)
{
	struct slot_class *cache = &slot->class[class];
	unsigned int wanted = (unsigned int)min_size(cache->capacity / 2, MAX_REFILL);

	if (list_empty(&cache->partial) && zone_has_grown(&slot->nr_faulted_seen))
		give_up_large(slot);
	close_sheaf(slot, class);
	if (!cache->nr_hidden) /* no handler has freed anything meanwhile */
		WRITE_ONCE(cache->nr_hidden, (uint16_t)slab_take_bulk(slot, class, cache->sheaf + 1,
								      wanted));
	cache->nr_flushed = 0;
	open_sheaf(slot, class);
}

/* As sheaf_pop, but no handler can come in between. */
static void *pop(struct slot *slot, unsigned int class)
{
	struct slot_class *cache = &slot->class[class];
	void *object = NULL;

	close_sheaf(slot, class);
	if (cache->nr_hidden) {
		object = cache->sheaf[cache->nr_hidden];
		memcheck_forget(&cache->sheaf[cache->nr_hidden], 1);
		WRITE_ONCE(cache->nr_hidden, (uint16_t)(cache->nr_hidden - 1));
	}
	open_sheaf(slot, class);
	return object;
}

static void *alloc_open(struct slot *slot, unsigned int class)
{
	void *object = pop(slot, class); /* an inherited slot's sheaf may have some */

	if (object)
		return object;
	remote_collect(slot);
	object = pop(slot, class);
	if (object)
		return object;
	note_miss(slot, class);
	if (!slot->class[class].capacity)
		return alloc_direct(slot, class);
	refill(slot, class);
	return pop(slot, class);
}

void *sheaf_alloc_slow(struct slot *slot, unsigned int class)
{
	bool was_closed = open_sheaf(slot, class);
	void *object = alloc_open(slot, class);

	if (was_closed && ++slot->class[class].nr_visits < BUSY_VISITS && decay_is_due())
		close_sheaf(slot, class);
	return object;
}

/*
 * Hand objects back. What was freed last is warm and stays, a few that are soon wanted. Of the
 * others those on top go: slabs give out neighbours in place of what a program frees of all over
 * the heap, and what is below need not be moved. The sheaf is closed.
 */
static void flush_some(struct slot *slot, unsigned int class, unsigned int nr)
{
	struct slot_class *cache = &slot->class[class];
	unsigned int left = cache->nr_hidden - nr;
	size_t nr_warm = min_size(left, NR_WARM);
	void **first = cache->sheaf + 1 + left - nr_warm;

	slab_put_bulk(slot, class, first, nr);
	memmove(first, first + nr, nr_warm * sizeof(*first));
	memcheck_forget(first + nr_warm, nr);
	WRITE_ONCE(cache->nr_hidden, (uint16_t)left);
	cache->nr_flushed += nr;
}

/*
 * What stays in the sheaf keeps slabs from being given back: one slab an object, if the program
 * frees in another order than it has allocated.
 */
static void flush(struct slot *slot, unsigned int class)
{
	struct slot_class *cache = &slot->class[class];
	unsigned int capacity = cache->capacity, count;
	bool only_frees = cache->nr_flushed >= FREES_PER_SHRINK * capacity;

	close_sheaf(slot, class);
	count = cache->nr_hidden;
	if (only_frees)
		flush_some(slot, class, count - count / 8);
	else
		flush_some(slot, class, (unsigned int)min_size((count + 3) / 4, MAX_FLUSH));
	open_sheaf(slot, class);
	if (only_frees && capacity > FIRST_CAPACITY)
		resize(slot, class, capacity / 2);
}

/* False: full. */
static bool push(struct slot *slot, unsigned int class, void *object)
{
	struct slot_class *cache = &slot->class[class];
	unsigned int nr;

	close_sheaf(slot, class);
	nr = cache->nr_hidden;
	if (nr < cache->capacity) {
		cache->sheaf[nr + 1] = object;
		WRITE_ONCE(cache->nr_hidden, (uint16_t)(nr + 1));
	}
	open_sheaf(slot, class);
	return nr < cache->capacity;
}

static void free_open(struct slot *slot, unsigned int class, void *object)
{
	const struct slot_class *cache = &slot->class[class];

	if (slot->top[class][-1] == object) {
		slab_report("double free of", object, class);
		return;
	}
	if (unlikely((uintptr_t)object % SIZE_CLASS_GRAIN)) {
		slab_report(SLAB_INSIDE_TEXT, object, class);
		return;
	}
	if (*slot->top[class] == SHEAF_END && cache->nr_flushed <= cache->capacity)
		note_miss(slot, class);
	if (cache->capacity && *slot->top[class] == SHEAF_END)
		flush(slot, class);
	if (!push(slot, class, object))
		slab_put_bulk(slot, class, &object, 1);
}

bool sheaf_accept(struct slot *slot, unsigned int class, void *const *objects, unsigned int nr)
{
	struct slot_class *cache = &slot->class[class];
	bool fits;

	if (!cache->capacity || sheaf_is_closed(slot, class))
		return false;
	close_sheaf(slot, class);
	fits = cache->nr_hidden + nr <= cache->capacity;
	if (fits) {
		memcpy(cache->sheaf + 1 + cache->nr_hidden, objects, nr * sizeof(*objects));
		WRITE_ONCE(cache->nr_hidden, (uint16_t)(cache->nr_hidden + nr));
	}
	open_sheaf(slot, class);
	return fits;
}

void sheaf_free_slow(struct slot *slot, unsigned int class, void *object)
{
	bool was_closed = open_sheaf(slot, class);

	free_open(slot, class, object);
	if (was_closed && decay_is_due())
		close_sheaf(slot, class);
}

void sheaves_drain(struct slot *slot)
{
	remote_collect(slot);
	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++) {
		if (!slot->class[class].capacity)
			continue;
		hand_back(slot, class);
		give_up(slot, class);
	}
	slab_trim(slot);
	pcp_drain(&slot->pcp);
}

/* Some 16,000 objects, and half a millisecond. */
#define PART_BATCHES 256u

bool slabs_drain_part(struct slot *slot)
{
	remote_put_back(slot, PART_BATCHES);
	if (slot->inbox)
		return true;
	slab_trim(slot);
	pcp_drain(&slot->pcp);
	return false;
}
