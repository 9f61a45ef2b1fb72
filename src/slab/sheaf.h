/*
 * sheaf.h - the fast paths of malloc and free.
 *
 * L4. Nothing but loads, one or two tests, a store to the thread's own stack of free objects:
 * no atomic, no lock, no call; neither the object nor its slab is touched. Everything else
 * (not booted, no slot, empty, full, remote, large, foreign, wrong) is the slow path's.
 *
 * Hits tell nobody that time passes: a program that has freed a gigabyte and then allocates and
 * frees one object a second would keep all of it. So while decay has something to do, every slot
 * closes its sheaves once a tick, and when much has been freed meanwhile. A closed sheaf is empty
 * for malloc and full for free, its top is hidden (nr_hidden), and every call comes by at the
 * functions of the second part. Allocations look at the clock now and then, and make decay do a
 * step. Who comes often enough before the next tick is busy, and gets its sheaf opened: it pays
 * some microseconds a class and tick. Frees never open one: after a phase of frees all are closed.
 */
#ifndef SLAB_SHEAF_H
#define SLAB_SHEAF_H

#include "core/memcheck.h"
#include "mm/decay.h"
#include "mm/memmap.h"
#include "slab/slot.h"

/* An object of the class, or NULL: take the slow path. */
static __inline_always void *sheaf_pop(struct slot *slot, size_t class)
{
	void **top = slot->top[class] - 1;
	void *object = *top;

	if (likely(object)) {
		WRITE_ONCE(slot->top[class], top);
		memcheck_forget(top, 1);
	}
	return object;
}

/* The same for malloc, which misses when every allocation is to be counted. */
static __inline_always void *sheaf_malloc(size_t bytes)
{
	size_t grains = (bytes + SIZE_CLASS_GRAIN - 1) / SIZE_CLASS_GRAIN;

	if (unlikely(bytes > SIZE_CLASS_MAX_BYTES))
		return NULL;
	return sheaf_pop(current_slot, size_class_index_malloc[grains]);
}

/*
 * As virt_to_pfn, but out of every window for an address that no object has: the low bits of one
 * that is not a multiple of 16 become its highest. One instruction, and free(text) after text++
 * is found at once.
 */
static __inline_always size_t object_to_pfn(const void *object)
{
	uintptr_t offset = (uintptr_t)object - mm_map.base;

	return (offset >> GRAIN_SHIFT | offset << (64 - GRAIN_SHIFT)) >> (PAGE_SHIFT - GRAIN_SHIFT);
}

/* At least `bytes` bytes, or NULL: take the slow path. */
static __inline_always void *sheaf_alloc(size_t bytes)
{
	if (unlikely(bytes > SIZE_CLASS_MAX_BYTES))
		return NULL;
	return sheaf_pop(current_slot, size_class_of(bytes));
}

/* False: nothing happened, take the slow path. `object` is any address. */
static __inline_always bool sheaf_free(void *object)
{
	size_t pfn = object_to_pfn(object);
	struct slot *slot = current_slot;
	uint32_t class;
	void **top;

	if (unlikely(pfn >= mm_map.nr_pages))
		return false; /* misaligned, or of no page of the heap */
	class = pagemap_read(pfn) ^ slot->tag;
	if (unlikely(class >= NR_SIZE_CLASSES))
		return false; /* not a slab object of this thread */
	top = slot->top[class];
	if (unlikely(*top == SHEAF_END) || unlikely(top[-1] == object))
		return false; /* full, or freed twice */
	*top = object;
	barrier(); /* whole at every instant: another thread may fork */
	WRITE_ONCE(slot->top[class], top + 1);
	return true;
}

/* --- closed sheaves -------------------------------------------------------------------------- */

/* Of so many allocations from a closed sheaf one takes the slow path, and looks at the clock. */
#define VISITS_PER_LOOK 8u

static inline bool sheaf_is_closed(const struct slot *slot, unsigned int class)
{
	return READ_ONCE(slot->top[class]) == slot_none.top[class] &&
	       READ_ONCE(slot->class[class].capacity);
}

/*
 * From a closed sheaf. NULL: take the slow path. Like the fast paths needs no gate, but refuses
 * signal handlers that have interrupted a slow path, which may be amid opening it. Like the fast
 * paths of preload/ it is nothing in builds for Valgrind.
 */
static inline void *sheaf_alloc_closed(size_t class)
{
	struct slot *slot = current_slot;
	struct slot_class *cache = &slot->class[class];
	unsigned int nr = cache->nr_hidden;
	void *object;

	if (CONFIG_VALGRIND || !nr || (cache->nr_visits + 1) % VISITS_PER_LOOK == 0 || slot->inside)
		return NULL;
	cache->nr_visits++;
	object = cache->sheaf[nr];
	WRITE_ONCE(cache->nr_hidden, (uint16_t)(nr - 1));
	memcheck_forget(&cache->sheaf[nr], 1);
	return object;
}

/* Into a closed sheaf of the thread's slot. False: nothing happened, take the slow path. */
static inline bool sheaf_free_closed(struct slot *slot, unsigned int class, void *object)
{
	struct slot_class *cache = &slot->class[class];
	unsigned int nr = cache->nr_hidden;

	if (CONFIG_VALGRIND || !nr || nr >= cache->capacity || slot->inside ||
	    cache->sheaf[nr] == object || (uintptr_t)object % SIZE_CLASS_GRAIN)
		return false;
	cache->sheaf[nr + 1] = object;
	barrier(); /* as in sheaf_free */
	WRITE_ONCE(cache->nr_hidden, (uint16_t)(nr + 1));
	return true;
}

/*
 * After a step of decay: close all sheaves of the slot, which the thread holds and is inside of, if
 * it is time to.
 */
void sheaves_close_in_time(struct slot *slot);

/* --- slow paths (sheaf.c); the caller has entered the slot --------------------------------- */

/* NULL: no memory. */
void *sheaf_alloc_slow(struct slot *slot, unsigned int class);

/* `object` is in a slab of this slot. */
void sheaf_free_slow(struct slot *slot, unsigned int class, void *object);

/*
 * The object, in a slab with this page map entry, is the one that the calling thread freed last of
 * its class: what a second free in a row meets.
 */
static inline bool sheaf_top_is(uint32_t entry, const void *object)
{
	struct slot *slot = current_slot;
	uint32_t class = entry ^ slot->tag;

	if (class >= NR_SIZE_CLASSES)
		return false;
	if (slot->class[class].nr_hidden)
		return slot->class[class].sheaf[slot->class[class].nr_hidden] == object;
	return slot->top[class][-1] == object;
}

/* Add objects to the sheaf. False: closed, or no room. The thread is in a slow path. */
bool sheaf_accept(struct slot *slot, unsigned int class, void *const *objects, unsigned int nr);

/* Hand every free object back to its slab, the inbox included, and every free page to the zone. */
void sheaves_drain(struct slot *slot);

/*
 * A part of the same for a slot whose holder is kept out (slot_visit_held), but for its sheaves and
 * outboxes. False: that was all.
 */
bool slabs_drain_part(struct slot *slot);

/* Objects in the sheaf; exact for the slot's holder, a good guess for anybody else. */
unsigned int sheaf_count(const struct slot *slot, unsigned int class);

#endif
