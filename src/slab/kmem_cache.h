/*
 * kmem_cache.h - caches of objects of one size: the kernel's struct kmem_cache (mm/slub.c).
 *
 * L4. Callers are inside the gate (kmalloc/gate.h) and have entered a slot, but for the hits. Slabs
 * are buddy blocks of the slot's pcp like those of malloc (slab.h), with the free bitmap in the
 * head's struct page; they belong to the cache and to no slot. LOCK_CACHES protects slabs, lists
 * and counters of all caches.
 *
 * Partial slabs are listed by node (mm/node.h). Objects are of the node that is wanted, of a new
 * slab there, at last of others: their free objects before one more slab of theirs.
 *
 * In front of the slabs are sheaves, arrays of free objects of which each slot has one
 * (slot.cache_sheaf); those of a node are for its threads alone. Whoever wants one tries its word
 * and never waits: where another thread is, or one of whose signal handlers asks, the slabs serve.
 * A hit changes one word, so that a sheaf is whole at every instant; in the child of a fork the
 * words of absent threads are cleared. A sheaf is filled from above (the count last) and emptied
 * from above (the count first).
 *
 * A debug cache (CACHE_DEBUG_FLAGS; every cache where caches are forbidden, core/params.h) has no
 * sheaves, so that each free meets the bitmap.
 *
 * An alias is a cache without slabs: objects come from `target`, or, if that is NULL, from malloc's
 * size class `class`.
 *
 * Invariants of a slab's head, where taken == objects that are not free in the bitmap:
 *	identity == kind PAGE_CACHE, order, entry of the cache; entry == that of all its pages
 *	until_event == taken
 *	on the list `full` if taken == nr_objects, else on its node's `partial`; or on the stack
 *	`fresh`
 *	no bit at or above nr_objects is set
 * and of a cache: nr_slabs counts all of these, nr_empty those on `partial` with taken == 0,
 * nr_taken the objects taken.
 */
#ifndef SLAB_KMEM_CACHE_H
#define SLAB_KMEM_CACHE_H

#include "mm/memmap.h"
#include "mm/zone.h"
#include "slab/slot.h"

/* include/stitch/slab.h has the same values. */
#define CACHE_CONSISTENCY 0x100u
#define CACHE_RED_ZONE 0x400u
#define CACHE_POISON 0x800u
#define CACHE_HWCACHE_ALIGN 0x2000u
#define CACHE_STORE_USER 0x10000u
#define CACHE_NO_MERGE 0x1000000u
#define CACHE_DEBUG_FLAGS (CACHE_CONSISTENCY | CACHE_RED_ZONE | CACHE_POISON | CACHE_STORE_USER)

#define MAX_KMEM_CACHES 0x10000u
#define CACHE_NAME_BYTES 48u
#define CACHE_MAX_BYTES MIB(4)

/* SLAB's array_cache limits, enable_cpucache(). */
#define CACHE_SHEAF_MAX 120u

_Static_assert(NR_CACHE_SHEAVES >= MAX_NODES, "each node has one");

struct cache_sheaf {
	_Atomic uintptr_t held_by; /* thread pointer; 0: nobody */
	uint32_t nr;
	void *objects[CACHE_SHEAF_MAX];
} __cacheline_aligned;

/* Counters are plain words: tools read them from outside the process. */
struct kmem_cache {
	uint32_t entry;	      /* page map entry of its slabs; 0: an alias */
	uint32_t stride;      /* bytes from object to object; a multiple of 8, at least 16 */
	uint32_t even_shift;  /* stride == odd << even_shift */
	uint32_t odd_inverse; /* odd * odd_inverse == 1 modulo 2^32 */
	uint32_t left_bytes;  /* red zone before an object */
	uint32_t sheaf_limit; /* objects in a sheaf at most; 0: there are none */
	uint32_t object_size; /* as asked for */
	uint32_t usable_size; /* the largest of those who share it */
	uint32_t class;	      /* of an alias of malloc's; else NR_SIZE_CLASSES */
	void (*ctor)(void *object);
	struct kmem_cache *target; /* whose objects it gives out; itself, if no alias */
	/* By slot.cache_sheaf; that of slot_none is NULL where there are several nodes. */
	_Atomic(struct cache_sheaf *) sheaf[NR_CACHE_SHEAVES + 1];
	struct list_head partial[MAX_NODES], full;
	_Atomic(struct page *) fresh; /* constructed slabs; linked by list.next */
	size_t nr_slabs, nr_empty, nr_taken;
	uint32_t next_colour;
	uint32_t nr_refs; /* handles that give out its objects; 0: it is destroyed */
	uint32_t flags;
	uint32_t align;
	uint32_t track_offset; /* from an object to its tracks (CACHE_STORE_USER) */
	uint16_t id;
	uint16_t nr_objects; /* of a slab */
	uint8_t order;
	bool dying; /* destroyed with live objects */
	char name[CACHE_NAME_BYTES];
	struct kmem_cache *next_free;
};

/* All caches by number, from 1 to last_id (0: there was none); NULL: none has it now. */
struct kmem_caches {
	uint32_t last_id;
	uint32_t nr_live;
	struct kmem_cache *free;	    /* structures for the next ones */
	struct cache_sheaf *free_sheaves;   /* linked by objects[0] */
	struct kmem_cache *table[MAX_KMEM_CACHES];
};

extern struct kmem_caches kmem_caches;

static inline struct kmem_cache *kmem_cache_by_entry(uint32_t entry)
{
	return READ_ONCE(kmem_caches.table[pagemap_cache_id(entry)]);
}

static inline struct page *cache_slab_head(struct page *page)
{
	return page - READ_ONCE(page->slab_index);
}

static inline char *cache_first_object(const struct kmem_cache *cache, const struct page *head)
{
	return (char *)page_address(head) + head->colour + cache->left_bytes;
}

/* Which object of the slab starts there; not below nr_objects: none (as size_class_divide). */
static inline uint32_t cache_index(const struct kmem_cache *cache, const struct page *head,
				   const void *address)
{
	uint32_t offset = (uint32_t)((const char *)address - cache_first_object(cache, head));
	uint32_t shift = cache->even_shift;

	return (offset >> shift | offset << (32 - shift)) * cache->odd_inverse;
}

static inline bool cache_bit(const struct page *head, uint32_t index)
{
	return READ_ONCE(head->bitmap[index / 64]) >> index % 64 & 1;
}

/* The address is that of an object which the slabs do not know to be free. */
static inline bool cache_object_is_taken(const struct kmem_cache *cache, const void *address)
{
	const struct page *head = cache_slab_head(pfn_to_page(virt_to_pfn(address)));
	uint32_t index = cache_index(cache, head, address);

	return index < READ_ONCE(head->nr_objects) && !cache_bit(head, index);
}

/* --- hits ------------------------------------------------------------------------------------ */

static __inline_always struct cache_sheaf *cache_sheaf_try(struct kmem_cache *cache)
{
	struct cache_sheaf *sheaf = atomic_load_explicit(
		&cache->sheaf[READ_ONCE(current_slot)->cache_sheaf], memory_order_acquire);
	uintptr_t nobody = 0;

	if (unlikely(!sheaf) ||
	    unlikely(!atomic_compare_exchange_strong_explicit(
		    &sheaf->held_by, &nobody, (uintptr_t)__builtin_thread_pointer(),
		    memory_order_acquire, memory_order_relaxed)))
		return NULL;
	return sheaf;
}

static __inline_always void cache_sheaf_leave(struct cache_sheaf *sheaf)
{
	atomic_store_explicit(&sheaf->held_by, 0, memory_order_release);
}

/* NULL: take the slow path. The cache is no alias. */
static __inline_always void *cache_sheaf_pop(struct kmem_cache *cache)
{
	struct cache_sheaf *sheaf = cache_sheaf_try(cache);
	void *object = NULL;
	uint32_t nr;

	if (unlikely(!sheaf))
		return NULL;
	nr = READ_ONCE(sheaf->nr);
	if (likely(nr)) {
		object = sheaf->objects[nr - 1];
		WRITE_ONCE(sheaf->nr, nr - 1);
	}
	cache_sheaf_leave(sheaf);
	return object;
}

/* False: nothing happened, take the slow path. `object` is any address. */
static __inline_always bool cache_sheaf_push(struct kmem_cache *cache, void *object)
{
	size_t pfn = virt_to_pfn(object);
	struct cache_sheaf *sheaf;
	bool pushed = false;
	uint32_t nr;

	if (unlikely(pfn >= mm_map.nr_pages) || unlikely(pagemap_read(pfn) != cache->entry) ||
	    unlikely(!cache_object_is_taken(cache, object)))
		return false;
	sheaf = cache_sheaf_try(cache);
	if (unlikely(!sheaf))
		return false;
	nr = READ_ONCE(sheaf->nr);
	if (likely(nr < cache->sheaf_limit) &&
	    likely(!nr || sheaf->objects[nr - 1] != object)) {
		sheaf->objects[nr] = object;
		barrier(); /* whole at every instant: another thread may fork */
		WRITE_ONCE(sheaf->nr, nr + 1);
		pushed = true;
	}
	cache_sheaf_leave(sheaf);
	return pushed;
}

/* --- caches come and go (kmem_cache.c) ------------------------------------------------------- */

struct kmem_cache_args {
	const char *name;
	size_t size;
	size_t align; /* 0: 8 */
	uint32_t flags;
	void (*ctor)(void *object);
};

/* Sizes and flags are right. */
bool kmem_cache_args_are_valid(const struct kmem_cache_args *args);

/* The flags with those that slub_debug= adds to a cache of this name. */
uint32_t kmem_cache_debug_flags(const char *name, uint32_t flags);

/* NULL: no memory, or too many caches. */
struct kmem_cache *kmem_cache_new(const struct kmem_cache_args *args);

/* A handle less. True: that was the last, and there is no object: the cache is gone. */
bool kmem_cache_put(struct kmem_cache *cache, struct slot *slot);

/* In the child of a fork: sheaves of threads that are not here are nobody's. */
void kmem_caches_after_fork(void);

struct kmem_cache_stat {
	char name[CACHE_NAME_BYTES];
	size_t active_objs, num_objs, active_slabs, num_slabs;
	size_t sheaved_objs;
	unsigned int object_size, stride, objs_per_slab, pages_per_slab;
};

/* /proc/slabinfo's. Objects in sheaves are not active. */
void kmem_cache_stat_read(struct kmem_cache *cache, struct kmem_cache_stat *stat);

/* The same by number, 1 to kmem_caches.last_id; false: there is none. */
bool kmem_cache_stat_by_id(uint32_t id, struct kmem_cache_stat *stat);

/* True when the invariants above hold for every cache; for tests, while nobody is at work. */
bool validate_caches(void);

#endif
