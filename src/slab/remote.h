/*
 * remote.h - frees of other slots' objects: outboxes, inboxes, adoption.
 *
 * L4. Objects of another slot are gathered by owner and class in the freeing slot's outboxes and
 * handed over a batch at a time with one atomic operation; the owner empties its inbox at
 * refill. So two threads never write one line for every object, and memory goes home. Slabs of a
 * slot that nobody holds become the freeing slot's own, unless they are charged to another group
 * (mm/memcontrol.h) or of another node: then who frees puts the objects into them.
 */
#ifndef SLAB_REMOTE_H
#define SLAB_REMOTE_H

#include "slab/slot.h"

static inline struct batch **remote_outbox(struct slot *slot, uint32_t entry)
{
	uint32_t row = pagemap_slot(entry) % NR_OUTBOX_ROWS;

	return &slot->outbox[row * OUTBOX_ROW + entry % OUTBOX_ROW];
}

/* The batch has room. Reports look at other threads' batches while they fill. */
static inline void batch_add(struct batch *batch, void *object)
{
	uint16_t nr = batch->nr_objects; /* once: a handler may add one in between, which is lost */

	batch->objects[nr] = object;
	barrier();
	WRITE_ONCE(batch->nr_objects, (uint16_t)(nr + 1));
}

/* The batch is full, or there is none, or it is for others; or the object is none. */
void remote_free_slow(struct slot *slot, uint32_t entry, void *object);

/*
 * Add the object to a batch that waits for more of its kind; false: there is none, or it is full.
 * Whole at every instant, so that it needs no gate.
 */
static inline bool remote_free_gathered(struct slot *slot, uint32_t entry, void *object)
{
	struct batch *batch = *remote_outbox(slot, entry);

	if (unlikely(!batch) || unlikely(batch->entry != entry) ||
	    unlikely(batch->nr_objects >= batch->limit) ||
	    unlikely((uintptr_t)object % SIZE_CLASS_GRAIN))
		return false;
	batch_add(batch, object);
	return true;
}

/* Free an object whose page map entry names another slot than `slot`, which is entered. */
static inline void remote_free(struct slot *slot, uint32_t entry, void *object)
{
	if (!remote_free_gathered(slot, entry, object))
		remote_free_slow(slot, entry, object);
}

/* Hand the object to its owner at once: for the few whose slab changed hands on the way. */
void remote_forward(uint32_t entry, void *object);

/* Take in what others have freed of the slot's objects. */
void remote_collect(struct slot *slot);

/*
 * The same for a slot whose holder is kept out (slot_visit_held): no more than so many batches, and
 * into the slabs.
 */
void remote_put_back(struct slot *slot, unsigned int nr_batches);

/* Hand all gathered objects to their owners. */
void remote_flush(struct slot *slot);

/*
 * Call fn for every batch in the slot's inbox. Any thread may ask: the batches are taken out, which
 * makes them the caller's, and put back; meanwhile the owner finds nothing there.
 */
void remote_visit_inbox(struct slot *slot, void (*fn)(void *context, const struct batch *batch),
			void *context);

/* Call fn for every stray on its way to the slot. Nobody else may be at work there. */
void remote_visit_strays(struct slot *slot, void (*fn)(void *context, const void *object),
			 void *context);

#endif
