/* remote.c - see remote.h. */
#include "slab/remote.h"

#include <limits.h>

#include "core/lock.h"
#include "core/memcheck.h"
#include "mm/memmap.h"
#include "slab/barn.h"
#include "slab/sheaf.h"
#include "slab/slab.h"

/* Bytes that may wait for one class: large objects go sooner, and those of many owners. */
#define BATCH_BYTES KIB(16)
#define SMALLEST_BATCH 2u

/*
 * Without memory for a batch an object goes home by itself: then, and only then, the allocator
 * writes into an object, a dead one, to link it to the next.
 */
struct stray {
	struct stray *next;
};

static void stray_push(struct slot *owner, void *object)
{
	struct stray *stray = object;
	struct stray *head = atomic_load_explicit(&owner->strays, memory_order_relaxed);

	memcheck_quiet_begin();
	do
		stray->next = head;
	while (!atomic_compare_exchange_weak_explicit(&owner->strays, &head, stray,
						      memory_order_release, memory_order_relaxed));
	memcheck_quiet_end();
}

static void accept_strays(struct slot *slot)
{
	struct stray *stray, *next;

	if (!atomic_load_explicit(&slot->strays, memory_order_relaxed))
		return;
	stray = atomic_exchange_explicit(&slot->strays, NULL, memory_order_acquire);
	for (; stray; stray = next) {
		void *object = stray;

		memcheck_quiet_begin();
		next = stray->next;
		stray->next = NULL; /* freed twice, it has made the list a ring */
		memcheck_quiet_end();
		slab_put_bulk(slot, pagemap_class(pagemap_read(virt_to_pfn(object))), &object, 1);
	}
}

/* An empty batch for one owner, of so many, and class; NULL: no memory. */
static struct batch *batch_for(uint32_t entry, unsigned int nr_owners)
{
	size_t size = size_classes[pagemap_class(entry)].size;
	struct batch *batch = barn_get_batch();

	if (!batch)
		return NULL;
	WRITE_ONCE(batch->entry, entry);
	WRITE_ONCE(batch->nr_objects, 0);
	batch->limit = (uint16_t)clamp_size(BATCH_BYTES / size / nr_owners, SMALLEST_BATCH,
					    BATCH_MAX_OBJECTS);
	return batch;
}

/* A chain of batches, in one operation. */
static void inbox_push_chain(struct slot *owner, struct batch *first, struct batch *last)
{
	struct batch *head = atomic_load_explicit(&owner->inbox, memory_order_relaxed);

	do
		last->next = head;
	while (!atomic_compare_exchange_weak_explicit(&owner->inbox, &head, first,
						      memory_order_release, memory_order_relaxed));
}

static void inbox_push(struct slot *owner, struct batch *batch)
{
	inbox_push_chain(owner, batch, batch);
}

static struct batch *inbox_take(struct slot *slot)
{
	if (!atomic_load_explicit(&slot->inbox, memory_order_relaxed))
		return NULL;
	return atomic_exchange_explicit(&slot->inbox, NULL, memory_order_acquire);
}

/* Into the sheaf when it has room, else to the slabs. */
static void accept_batch(struct slot *slot, struct batch *batch)
{
	unsigned int class = pagemap_class(batch->entry), nr = batch->nr_objects;

	if (batch->entry != (slot->tag | class) ||
	    !sheaf_accept(slot, class, batch->objects, nr))
		slab_put_bulk(slot, class, batch->objects, nr);
	barn_put_batch(batch);
}

static void accept_batches(struct slot *slot, struct batch *batch)
{
	while (batch) {
		struct batch *next = batch->next;

		accept_batch(slot, batch);
		batch = next;
	}
}

void remote_collect(struct slot *slot)
{
	accept_batches(slot, inbox_take(slot));
	accept_strays(slot);
}

/* Others may have pushed meanwhile: what is left over goes in front of that. */
static void inbox_push_rest(struct slot *slot, struct batch *first)
{
	struct batch *last = first, *empty = NULL;

	if (!first || atomic_compare_exchange_strong_explicit(&slot->inbox, &empty, first,
							      memory_order_release,
							      memory_order_relaxed))
		return;
	while (last->next)
		last = last->next;
	inbox_push_chain(slot, first, last);
}

void remote_put_back(struct slot *slot, unsigned int nr_batches)
{
	struct batch *batch = inbox_take(slot), *next;

	for (; batch && nr_batches; batch = next, nr_batches--) {
		next = batch->next;
		slab_put_bulk(slot, pagemap_class(batch->entry), batch->objects,
			      batch->nr_objects);
		barn_put_batch(batch);
	}
	inbox_push_rest(slot, batch);
	accept_strays(slot);
}

static void adopt_batch(struct slot *slot, struct slot *owner, const struct batch *batch)
{
	for (unsigned int i = 0; i < batch->nr_objects; i++)
		slab_adopt_locked(slot, owner, batch->objects[i]);
}

/*
 * If nobody holds `owner`, make the slabs of the batch, and of all that waits in its
 * inbox, the slot's own, and free the objects into them. False when the owner has a holder.
 */
static bool try_adopt(struct slot *slot, struct slot *owner, struct batch *batch)
{
	struct batch *waiting;
	bool is_free;

	if (slot->state != SLOT_HELD || owner->state != SLOT_FREE)
		return false;
	lock_acquire(LOCK_SLOTS);
	is_free = owner->state == SLOT_FREE;
	if (is_free) {
		waiting = inbox_take(owner);
		adopt_batch(slot, owner, batch);
		for (struct batch *b = waiting; b; b = b->next)
			adopt_batch(slot, owner, b);
	}
	lock_release(LOCK_SLOTS);
	if (!is_free)
		return false;
	accept_batch(slot, batch);
	accept_batches(slot, waiting);
	return true;
}

/*
 * The slabs are another group's or node's, and nobody may take that slot for long: put the batch,
 * and all that waits, into its slabs. False when the owner has a holder, and for who visits a free
 * slot, under the lock that this takes.
 */
static bool try_put_home(const struct slot *slot, struct slot *owner, struct batch *batch)
{
	bool is_free;

	if (slot->state == SLOT_FREE || owner->state != SLOT_FREE)
		return false;
	lock_acquire(LOCK_SLOTS);
	is_free = owner->state == SLOT_FREE;
	if (is_free) {
		inbox_push(owner, batch);
		remote_put_back(owner, UINT_MAX);
	}
	lock_release(LOCK_SLOTS);
	return is_free;
}

static bool deliver_to_nobodys(struct slot *slot, struct slot *owner, struct batch *batch)
{
	bool may_adopt = slot->memcg == owner->memcg && slot->nid == owner->nid;

	return may_adopt ? try_adopt(slot, owner, batch) : try_put_home(slot, owner, batch);
}

static void deliver(struct slot *slot, struct batch *batch)
{
	struct slot *owner = slot_by_id(pagemap_slot(batch->entry));

	if (owner->state == SLOT_LOST)
		barn_put_batch(batch); /* its slabs stay as the fork left them */
	else if (!deliver_to_nobodys(slot, owner, batch))
		inbox_push(owner, batch);
}

/* What waits in the box is handed over when the next object comes, or by remote_flush. */
void remote_free_slow(struct slot *slot, uint32_t entry, void *object)
{
	struct batch **box = remote_outbox(slot, entry), *batch = *box;

	if ((uintptr_t)object % SIZE_CLASS_GRAIN) {
		slab_report(SLAB_INSIDE_TEXT, object, pagemap_class(entry));
		return;
	}
	WRITE_ONCE(*box, NULL);
	if (batch)
		deliver(slot, batch);
	slot->outbox_rows |= 1u << (box - slot->outbox) / OUTBOX_ROW;
	batch = batch_for(entry, popcount64(slot->outbox_rows));
	if (batch)
		batch_add(batch, object);
	else
		remote_forward(entry, object);
	WRITE_ONCE(*box, batch);
}

void remote_forward(uint32_t entry, void *object)
{
	struct slot *owner = slot_by_id(pagemap_slot(entry));
	struct batch *batch;

	if (owner->state == SLOT_LOST)
		return;
	batch = batch_for(entry, 1);
	if (!batch) {
		stray_push(owner, object);
		return;
	}
	batch_add(batch, object);
	inbox_push(owner, batch);
}

static void flush_row(struct slot *slot, struct batch **row)
{
	for (struct batch **box = row; box < row + OUTBOX_ROW; box++) {
		struct batch *batch = *box;

		WRITE_ONCE(*box, NULL);
		if (batch)
			deliver(slot, batch);
	}
}

void remote_flush(struct slot *slot)
{
	uint32_t rows = slot->outbox_rows;

	slot->outbox_rows = 0;
	for (; rows; rows &= rows - 1)
		flush_row(slot, &slot->outbox[(size_t)__builtin_ctz(rows) * OUTBOX_ROW]);
}

void remote_visit_inbox(struct slot *slot, void (*fn)(void *context, const struct batch *batch),
			void *context)
{
	struct batch *first = inbox_take(slot), *last = first;

	for (struct batch *batch = first; batch; batch = batch->next) {
		fn(context, batch);
		last = batch;
	}
	if (first)
		inbox_push_chain(slot, first, last);
}

void remote_visit_strays(struct slot *slot, void (*fn)(void *context, const void *object),
			 void *context)
{
	memcheck_quiet_begin();
	for (const struct stray *stray = slot->strays; stray; stray = stray->next)
		fn(context, stray);
	memcheck_quiet_end();
}
