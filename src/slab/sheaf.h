/*
 * sheaf.h - the fast paths of malloc and free.
 *
 * L4. Nothing but loads, one or two tests, a store to the thread's own stack of free objects:
 * no atomic, no lock, no call; neither the object nor its slab is touched. Everything else
 * (not booted, no slot, empty, full, remote, large, foreign, wrong) is the slow path's.
 */
#ifndef SLAB_SHEAF_H
#define SLAB_SHEAF_H

#include "mm/memmap.h"
#include "slab/slot.h"

/* An object of the class, or NULL: take the slow path. */
static __inline_always void *sheaf_pop(struct slot *slot, size_t class)
{
	void **top = slot->top[class] - 1;
	void *object = *top;

	if (likely(object))
		WRITE_ONCE(slot->top[class], top);
	return object;
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
	size_t pfn = virt_to_pfn(object);
	struct slot *slot = current_slot;
	uint32_t class;
	void **top;

	if (unlikely(pfn >= mm_map.nr_pages))
		return false;
	class = pagemap_read(pfn) ^ slot->tag;
	if (unlikely(class >= NR_SIZE_CLASSES))
		return false; /* not a slab object of this thread */
	top = slot->top[class];
	if (unlikely(*top == SHEAF_END) || unlikely(top[-1] == object))
		return false; /* full, or freed twice */
	*top = object;
	WRITE_ONCE(slot->top[class], top + 1);
	return true;
}

/* --- slow paths (sheaf.c); the caller has entered the slot --------------------------------- */

/* NULL: no memory. */
void *sheaf_alloc_slow(struct slot *slot, unsigned int class);

/* `object` is in a slab of this slot. */
void sheaf_free_slow(struct slot *slot, unsigned int class, void *object);

/* Hand every free object back to its slab, the inbox included, and every free page to the zone. */
void sheaves_drain(struct slot *slot);

/* Objects in the sheaf; exact for the slot's holder, a good guess for anybody else. */
unsigned int sheaf_count(const struct slot *slot, unsigned int class);

#endif
