/* emergency.c - see emergency.h. */
#include "mm/emergency.h"

#include "base/math.h"
#include "core/memcheck.h"
#include "os/os.h"

#define CHUNK_BYTES KIB(64)
#define NR_ORDERS 24u /* the largest: 512 GiB */
/* What needs more of a chunk takes chunks of its own. */
#define MAX_SHARED_BYTES (CHUNK_BYTES / 4)

/* At the start of every block of chunks. */
struct chunk {
	_Atomic int32_t live; /* see emergency.h */
	uint32_t order;
	_Atomic uint32_t next_free; /* chunk number + 1, while on a stack */
} __cacheline_aligned;

/* In front of every object. A multiple of 16 bytes, which keeps the alignment. */
struct tag {
	_Atomic uint64_t magic; /* tag_magic() of its own address while the object is live */
	uint32_t chunk_offset;	/* from the start of its block of chunks */
	uint32_t grains;	/* usable bytes / 16 */
};

#define GRAIN sizeof(struct tag)

/*
 * The chunk that objects are cut from, in one word: whatever happened in between, a compare and
 * swap that finds the word unchanged takes what the word says is free.
 */
struct front {
	uint32_t chunk;	   /* number + 1; 0: none */
	uint16_t grains;   /* used from the start on; 4096 are a chunk */
	uint16_t nr_objects; /* cut so far */
};

static struct {
	char *start;
	uint32_t nr_chunks;
	_Atomic uint32_t nr_used; /* chunks below have been handed out once */
	_Atomic uint64_t front;
	_Atomic uint64_t free[NR_ORDERS]; /* stacks: chunk number + 1, and a count against ABA */
	_Atomic size_t live;
} emergency;

union front_word {
	struct front front;
	uint64_t word;
};
_Static_assert(sizeof(struct front) == sizeof(uint64_t), "it is swapped as one word");

void emergency_init(char *start, size_t bytes)
{
	char *first = (char *)align_up((uintptr_t)start, CHUNK_BYTES); // NOLINT
	size_t skipped = (size_t)(first - start);

	emergency.start = first;
	emergency.nr_chunks = skipped < bytes ? (uint32_t)((bytes - skipped) / CHUNK_BYTES) : 0;
}

static struct chunk *chunk_by_number(uint32_t number)
{
	return (struct chunk *)(void *)(emergency.start + (size_t)number * CHUNK_BYTES);
}

static uint32_t number_of(const struct chunk *chunk)
{
	return (uint32_t)((size_t)((const char *)chunk - emergency.start) / CHUNK_BYTES);
}

/* Random bits of an address that no object's contents are likely to have. */
static uint64_t tag_magic(const struct tag *tag)
{
	return (uint64_t)(uintptr_t)tag * 0x9e3779b97f4a7c15u | 1;
}

/* --- blocks of chunks ----------------------------------------------------------------------- */

/* A free stack's word: the top's number + 1, and how often the stack has changed. */
static uint64_t stack_word(uint64_t old, uint32_t top)
{
	return ((old >> 32) + 1) << 32 | top;
}

static void block_push(struct chunk *chunk)
{
	_Atomic uint64_t *stack = &emergency.free[chunk->order];
	uint64_t old = atomic_load_explicit(stack, memory_order_relaxed);

	do
		atomic_store_explicit(&chunk->next_free, (uint32_t)old, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(
		stack, &old, stack_word(old, number_of(chunk) + 1), memory_order_release,
		memory_order_relaxed));
}

/* Reading next_free of a block that somebody else pops meanwhile is harmless: it stays mapped. */
static struct chunk *block_pop(unsigned int order)
{
	_Atomic uint64_t *stack = &emergency.free[order];
	uint64_t old = atomic_load_explicit(stack, memory_order_acquire);
	struct chunk *chunk;

	do {
		if (!(uint32_t)old)
			return NULL;
		chunk = chunk_by_number((uint32_t)old - 1);
	} while (!atomic_compare_exchange_weak_explicit(
		stack, &old, stack_word(old, atomic_load(&chunk->next_free)), memory_order_acquire,
		memory_order_acquire));
	return chunk;
}

/* Chunks that were never used. What cannot be opened stays so, unless others came behind it. */
static struct chunk *block_open(unsigned int order)
{
	uint32_t first = atomic_load_explicit(&emergency.nr_used, memory_order_relaxed), end;
	struct chunk *chunk;

	do {
		if ((emergency.nr_chunks - first) >> order == 0)
			return NULL;
	} while (!atomic_compare_exchange_weak(&emergency.nr_used, &first, first + (1u << order)));
	chunk = chunk_by_number(first);
	if (os_open(chunk, (size_t)CHUNK_BYTES << order)) {
		end = first + (1u << order);
		atomic_compare_exchange_strong(&emergency.nr_used, &end, first);
		return NULL;
	}
	chunk->order = order;
	return chunk;
}

static struct chunk *block_alloc(unsigned int order)
{
	struct chunk *chunk = block_pop(order);

	return chunk ? chunk : block_open(order);
}

/* Its frames go back to the system: emergencies are rare. */
static void block_free(struct chunk *chunk)
{
	unsigned int order = chunk->order;

	os_purge(chunk, (size_t)CHUNK_BYTES << order);
	memcheck_reuse(chunk, (size_t)CHUNK_BYTES << order);
	chunk->order = order;
	block_push(chunk);
}

static void chunk_add_live(struct chunk *chunk, int32_t nr)
{
	if (atomic_fetch_add(&chunk->live, nr) + nr == 0)
		block_free(chunk);
}

/* --- objects -------------------------------------------------------------------------------- */

static void *object_init(struct chunk *chunk, size_t offset, size_t bytes)
{
	struct tag *tag = (struct tag *)(void *)((char *)chunk + offset) - 1;

	tag->chunk_offset = (uint32_t)(offset / GRAIN);
	tag->grains = (uint32_t)(bytes / GRAIN);
	atomic_fetch_add_explicit(&emergency.live, bytes, memory_order_relaxed);
	atomic_store_explicit(&tag->magic, tag_magic(tag), memory_order_release);
	return tag + 1;
}

/* bytes: a multiple of GRAIN. */
static void *alloc_own(size_t bytes, size_t align)
{
	size_t head_bytes = sizeof(struct chunk) + sizeof(struct tag);
	size_t nr_chunks = div_round_up(head_bytes + align + bytes, CHUNK_BYTES);
	struct chunk *chunk = block_alloc(ilog2(roundup_pow_of_two(nr_chunks)));
	uintptr_t object;

	if (!chunk)
		return NULL;
	object = align_up((uintptr_t)chunk + head_bytes, align);
	atomic_store_explicit(&chunk->live, 1, memory_order_relaxed);
	return object_init(chunk, object - (uintptr_t)chunk, bytes);
}

/* Cut the object off the front; NULL: it does not fit. */
static void *cut(union front_word old, union front_word *next, size_t bytes, size_t align)
{
	size_t offset = align_up(old.front.grains * GRAIN + sizeof(struct tag), align);
	size_t end = offset + bytes;

	if (!old.front.chunk || end > CHUNK_BYTES)
		return NULL;
	*next = old;
	next->front.grains = (uint16_t)(end / GRAIN);
	next->front.nr_objects++;
	return (char *)chunk_by_number(old.front.chunk - 1) + offset;
}

/* Make a fresh chunk the front in place of `old`, unless somebody else has done so. */
static bool front_replace(union front_word old)
{
	union front_word next = { .front = { .grains = sizeof(struct chunk) / GRAIN } };
	struct chunk *chunk = block_alloc(0);

	if (!chunk)
		return false;
	next.front.chunk = number_of(chunk) + 1;
	if (!atomic_compare_exchange_strong(&emergency.front, &old.word, next.word))
		block_free(chunk);
	else if (old.front.chunk)
		chunk_add_live(chunk_by_number(old.front.chunk - 1), old.front.nr_objects);
	return true;
}

static void *alloc_shared(size_t bytes, size_t align)
{
	union front_word old = { .word = atomic_load(&emergency.front) }, next;

	for (;;) {
		char *object = cut(old, &next, bytes, align);
		struct chunk *chunk;

		if (!object) {
			if (!front_replace(old))
				return NULL;
			old.word = atomic_load(&emergency.front);
		} else if (atomic_compare_exchange_weak(&emergency.front, &old.word, next.word)) {
			chunk = chunk_by_number(old.front.chunk - 1);
			return object_init(chunk, (size_t)(object - (char *)chunk), bytes);
		}
	}
}

void *emergency_alloc(size_t bytes, size_t align)
{
	size_t all = (size_t)emergency.nr_chunks * CHUNK_BYTES;

	if (bytes > all || align > all)
		return NULL;
	bytes = align_up(max_size(bytes, 1), GRAIN);
	if (bytes + align > MAX_SHARED_BYTES)
		return alloc_own(bytes, align);
	return alloc_shared(bytes, align);
}

bool emergency_contains(const void *address)
{
	return (uintptr_t)address - (uintptr_t)emergency.start <
	       (size_t)emergency.nr_chunks * CHUNK_BYTES;
}

/* The tag of the live object at the address, or NULL. */
static struct tag *tag_of(const void *address)
{
	uint32_t nr_used = atomic_load_explicit(&emergency.nr_used, memory_order_relaxed);
	size_t offset = (uintptr_t)address - (uintptr_t)emergency.start;
	struct tag *tag = (struct tag *)(uintptr_t)address - 1;

	if (offset % GRAIN || offset / CHUNK_BYTES >= nr_used ||
	    offset < sizeof(struct chunk) + sizeof(struct tag))
		return NULL;
	return atomic_load_explicit(&tag->magic, memory_order_acquire) == tag_magic(tag) ? tag :
											   NULL;
}

size_t emergency_size(const void *address)
{
	const struct tag *tag = tag_of(address);

	return tag ? tag->grains * GRAIN : 0;
}

bool emergency_free(void *object)
{
	struct tag *tag = tag_of(object);
	uint64_t magic;
	size_t offset;

	if (!tag)
		return false;
	magic = tag_magic(tag);
	if (!atomic_compare_exchange_strong(&tag->magic, &magic, 0))
		return false;
	offset = tag->chunk_offset * GRAIN;
	atomic_fetch_sub_explicit(&emergency.live, tag->grains * GRAIN, memory_order_relaxed);
	chunk_add_live((struct chunk *)(void *)((char *)object - offset), -1);
	return true;
}

size_t emergency_live(void)
{
	return atomic_load_explicit(&emergency.live, memory_order_relaxed);
}

void emergency_range(uintptr_t *start, uintptr_t *end)
{
	*start = (uintptr_t)emergency.start;
	*end = *start + (size_t)emergency.nr_used * CHUNK_BYTES;
}
