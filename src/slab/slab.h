/*
 * slab.h - slabs: buddy blocks cut into objects of one class, with a free bitmap out of line.
 *
 * L4. Every slab belongs to one heap slot; only who holds the slot touches its struct pages. An
 * object in a sheaf, batch or outbox counts as taken here.
 *
 * Invariants of a slab:
 *	identity == slab_identity(entry, order), entry = the slot's tag | the class;
 *	the page map entry of all its pages is the same entry;
 *	it is on its slot's partial list exactly when its bitmap has a set bit;
 *	until_event == 1 when full, else the number of objects that are not free;
 *	no bit at or above nr_objects is set.
 */
#ifndef SLAB_SLAB_H
#define SLAB_SLAB_H

#include "mm/memmap.h"
#include "slab/slot.h"

/* What the head of a slab looks like to one 8-byte load (struct page's first members). */
static inline uint64_t slab_identity(uint32_t entry, unsigned int order)
{
	return (uint64_t)entry << 32 | order << 8 | PAGE_SLAB;
}

/* The head of the slab that any of its pages is in. */
static inline struct page *slab_head(struct page *page)
{
	return page - READ_ONCE(page->slab_index);
}

static inline char *slab_first_object(const struct page *head)
{
	return (char *)page_address(head) + head->colour;
}

/* Free objects in the slab. */
static inline unsigned int slab_nr_free(const struct page *head)
{
	unsigned int nr_free = 0;

	for (unsigned int w = 0; w < SLAB_BITMAP_WORDS; w++)
		nr_free += popcount64(READ_ONCE(head->bitmap[w]));
	return nr_free;
}

/* Of a new slab: all nr_objects are free. */
static inline void slab_fill_bitmap(struct page *head)
{
	for (unsigned int w = 0; w < SLAB_BITMAP_WORDS; w++) {
		unsigned int first = w * 64, nr = head->nr_objects;
		uint64_t bits = nr >= first + 64 ? UINT64_MAX :
				nr > first	 ? ((uint64_t)1 << (nr - first)) - 1 :
						   0;

		WRITE_ONCE(head->bitmap[w], bits);
	}
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

/* What an address in a slab is; an object in a sheaf, batch or outbox is taken. */
enum slab_place { SLAB_TAKEN, SLAB_FREE, SLAB_INSIDE /* where no object starts */ };

/*
 * `page` is the address's, in a slab of this class. No locks: true as long as the caller owns an
 * object there, and else what it was a moment ago.
 */
enum slab_place slab_place_of(struct page *page, unsigned int class, const void *address);

/* Report a wrong free of something in a slab. */
#define SLAB_INSIDE_TEXT "invalid pointer, inside an object:"
void slab_report(const char *what, const void *object, unsigned int class);

/* Give the pages of empty slabs back, down to the last. */
void slab_trim(struct slot *slot);

/* Those that stayed as the last of their class; one look a class, however many slabs there are. */
void slab_trim_last(struct slot *slot);

/* True when the invariants above hold for every slab of the slot (which the caller holds). */
bool validate_slabs(struct slot *slot);

#endif
