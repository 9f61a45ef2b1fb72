/*
 * sheaf.h - the fast paths of malloc and free.
 *
 * L4. Nothing but loads, one or two tests, a store to the thread's own stack of free objects:
 * no atomic, no lock, no call; neither the object nor its slab is touched. Everything else
 * (not booted, no slot, empty, full, remote, large, foreign, wrong) is the slow path's.
 */
#ifndef SLAB_SHEAF_H
#define SLAB_SHEAF_H

#include "core/memcheck.h"
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

	return class < NR_SIZE_CLASSES && slot->top[class][-1] == object;
}

/* Hand every free object back to its slab, the inbox included, and every free page to the zone. */
void sheaves_drain(struct slot *slot);

/* Objects in the sheaf; exact for the slot's holder, a good guess for anybody else. */
unsigned int sheaf_count(const struct slot *slot, unsigned int class);

#endif
