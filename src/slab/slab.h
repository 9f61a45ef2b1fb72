/*
 * slab.h - slabs: buddy blocks cut into objects of one class, with a free bitmap out of line.
 *
 * L4. Every slab belongs to one heap slot; only who holds the slot touches its struct pages. An
 * object in a sheaf, batch or outbox counts as taken here.
 *
 * Invariants of a slab: nr_free == set bits of the bitmap; it is on its slot's partial list
 * exactly when nr_free > 0; the page map entry of all its pages is the slot's tag and the class;
 * no set bit lies below word `hint` nor at or above bit nr_objects.
 */
#ifndef SLAB_SLAB_H
#define SLAB_SLAB_H

#include "mm/memmap.h"
#include "slab/slot.h"

/* Word w of the free bitmap, spread over the struct pages of the slab. */
static inline uint64_t *slab_word(struct page *head, unsigned int w)
{
	return &head[w / PAGE_BITMAP_WORDS].bitmap[w % PAGE_BITMAP_WORDS];
}

/* The head of the slab that any of its pages is in. */
static inline struct page *slab_head(struct page *page)
{
	return page - page->slab_index;
}

static inline char *slab_first_object(const struct page *head)
{
	return (char *)page_address(head) + (size_t)head->colour * SIZE_CLASS_GRAIN;
}

/*
 * Take up to `wanted` (> 0) free objects from the slot's slabs, or from a new slab when those have
 * none. They are stored so that a stack growing up from `objects` pops ascending addresses.
 * Returns how many; 0: no memory.
 */
unsigned int slab_take_bulk(struct slot *slot, unsigned int class, void **objects,
			    unsigned int wanted);

/*
 * Hand objects back to their slabs. An object that is not in a slab of this slot and class is
 * forwarded to its owner or reported.
 */
void slab_put_bulk(struct slot *slot, unsigned int class, void **objects, unsigned int nr);

/*
 * Make the slab of an object of `owner` (free, LOCK_SLOTS held) one of `slot`. Nothing happens when
 * it has changed hands already.
 */
void slab_adopt_locked(struct slot *slot, struct slot *owner, void *object);

/* Give the pages of empty slabs back, down to the last. */
void slab_trim(struct slot *slot);

/* True when the invariants above hold for every slab of the slot (which the caller holds). */
bool validate_slabs(struct slot *slot);

#endif
