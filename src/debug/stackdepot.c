/* stackdepot.c - see stackdepot.h. */
#include "debug/stackdepot.h"

#include <string.h>

#include "debug/private_map.h"

/* Records are numbered by their place in units of 8 bytes. */
#define UNIT 8u
#define DEPOT_BYTES GIB(1)
#define NR_BUCKETS (1u << 15)

struct record {
	depot_stack_handle next;  /* in its bucket */
	depot_stack_handle older; /* of all stacks */
	uint32_t hash;
	uint32_t nr;
	uint32_t note;
	uint32_t unused;
	uintptr_t pcs[];
};

static struct {
	_Atomic depot_stack_handle *buckets;
	char *records;
	_Atomic uint32_t nr_units; /* used; the first is nobody's, for 0 is no handle */
	_Atomic depot_stack_handle newest;
	size_t extra_bytes;
} depot;

bool stack_depot_init(size_t extra_bytes)
{
	char *memory = private_map(NR_BUCKETS * sizeof(*depot.buckets) + DEPOT_BYTES);

	if (!memory)
		return false;
	depot.buckets = (void *)memory;
	depot.records = memory + NR_BUCKETS * sizeof(*depot.buckets);
	depot.nr_units = 1;
	depot.extra_bytes = extra_bytes;
	return true;
}

static struct record *record_of(depot_stack_handle handle)
{
	return (struct record *)(void *)(depot.records + (size_t)handle * UNIT);
}

#define FACTOR 0x9e3779b97f4a7c15u

/* Four at a time, so that no multiplication waits for the one before. */
static uint32_t hash_of(const uintptr_t *pcs, unsigned int nr)
{
	uint64_t lanes[4] = { nr, 1, 2, 3 };
	unsigned int i = 0;

	for (; i + 4 <= nr; i += 4)
		for (unsigned int lane = 0; lane < 4; lane++)
			lanes[lane] = (lanes[lane] ^ pcs[i + lane]) * FACTOR;
	for (; i < nr; i++)
		lanes[i % 4] = (lanes[i % 4] ^ pcs[i]) * FACTOR;
	/* The upper halves depend on all bits. */
	for (unsigned int lane = 1; lane < 4; lane++)
		lanes[0] = (lanes[0] ^ lanes[0] >> 32 ^ lanes[lane] >> 29) * FACTOR;
	return (uint32_t)(lanes[0] >> 32);
}

/* From a handle on, in its bucket, up to `end`. 0: it is not there. */
static depot_stack_handle find(depot_stack_handle handle, depot_stack_handle end, uint32_t hash,
			       const uintptr_t *pcs, unsigned int nr)
{
	for (; handle != end; handle = record_of(handle)->next) {
		const struct record *record = record_of(handle);

		if (record->hash == hash && record->nr == nr &&
		    !memcmp(record->pcs, pcs, nr * sizeof(*pcs)))
			return handle;
	}
	return 0;
}

/* 0: full. The counter stays where it is then. */
static depot_stack_handle take_units(uint32_t nr)
{
	uint32_t used = atomic_load_explicit(&depot.nr_units, memory_order_relaxed);

	do {
		if (nr > DEPOT_BYTES / UNIT - used)
			return 0;
	} while (!atomic_compare_exchange_weak(&depot.nr_units, &used, used + nr));
	return used;
}

static depot_stack_handle make(uint32_t hash, const uintptr_t *pcs, unsigned int nr)
{
	size_t bytes = sizeof(struct record) + nr * sizeof(*pcs) + depot.extra_bytes;
	depot_stack_handle handle = take_units((uint32_t)(bytes / UNIT));

	if (!handle)
		return 0;
	record_of(handle)->hash = hash;
	record_of(handle)->nr = nr;
	memcpy(record_of(handle)->pcs, pcs, nr * sizeof(*pcs));
	return handle;
}

/* It is in its bucket by now. */
static void add_to_all(depot_stack_handle made)
{
	depot_stack_handle older = atomic_load_explicit(&depot.newest, memory_order_relaxed);

	do
		record_of(made)->older = older;
	while (!atomic_compare_exchange_weak(&depot.newest, &older, made));
}

depot_stack_handle stack_depot_save(const uintptr_t *pcs, unsigned int nr)
{
	uint32_t hash = hash_of(pcs, nr);
	_Atomic depot_stack_handle *bucket = &depot.buckets[hash % NR_BUCKETS];
	depot_stack_handle first = atomic_load_explicit(bucket, memory_order_acquire), seen = 0;
	depot_stack_handle found = find(first, 0, hash, pcs, nr), made;

	if (found)
		return found;
	made = make(hash, pcs, nr);
	while (made) {
		seen = first;
		record_of(made)->next = first;
		if (atomic_compare_exchange_strong(bucket, &first, made)) {
			add_to_all(made);
			break;
		}
		found = find(first, seen, hash, pcs, nr); /* what others have added meanwhile */
		if (found)
			return found;
	}
	return made;
}

const uintptr_t *stack_depot_fetch(depot_stack_handle handle, unsigned int *nr)
{
	*nr = handle ? record_of(handle)->nr : 0;
	return handle ? record_of(handle)->pcs : NULL;
}

uint32_t *stack_depot_note(depot_stack_handle handle)
{
	return &record_of(handle)->note;
}

void *stack_depot_extra(depot_stack_handle handle)
{
	return record_of(handle)->pcs + record_of(handle)->nr;
}

void stack_depot_visit(stack_depot_fn *fn, void *context)
{
	depot_stack_handle handle = atomic_load_explicit(&depot.newest, memory_order_acquire);

	for (; handle; handle = record_of(handle)->older)
		fn(context, handle);
}

static void count_stack(void *nr, depot_stack_handle handle)
{
	(void)handle;
	++*(size_t *)nr;
}

size_t stack_depot_count(void)
{
	size_t nr = 0;

	stack_depot_visit(count_stack, &nr);
	return nr;
}
