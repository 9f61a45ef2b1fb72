/* deferred.c - see deferred.h. */
#include "kmalloc/deferred.h"

#include "core/memcheck.h"
#include "core/misuse.h"
#include "kmalloc/gate.h"
#include "kmalloc/kmalloc.h"
#include "kmalloc/owner.h"
#include "mm/emergency.h"

struct deferred {
	struct deferred *next;
};

static _Atomic(struct deferred *) deferred_list;

/*
 * For an object of a kmem_cache, which nothing may be written into: it may have to stay as its
 * constructor, or a check of its bytes, wants it. In emergency memory, of which nothing is
 * deferred.
 */
struct deferred_note {
	struct deferred link;
	void *object;
};

/* Marks an object whose turn has come: one that was freed twice has made the list a ring. */
#define TAKEN ((struct deferred *)1)

static struct deferred *note_of(void *object)
{
	struct deferred_note *note = emergency_alloc(sizeof(*note), sizeof(*note));

	if (!note)
		return NULL;
	note->object = object;
	return &note->link;
}

static void free_noted(struct deferred *entry)
{
	struct deferred_note *note = container_of(entry, struct deferred_note, link);

	kfree_inside(note->object);
	emergency_free(note);
}

void deferred_free(void *object)
{
	struct owner owner = owner_of(object);
	struct deferred *entry = object, *head;

	if (owner.kind == OWNER_WRONG || owner.kind == OWNER_FOREIGN) {
		owner_report_wrong("free()", object);
		return;
	}
	if (owner.kind == OWNER_CACHE) {
		entry = note_of(object);
		if (!entry)
			return; /* lost: there is no memory to remember it by */
	}
	head = atomic_load_explicit(&deferred_list, memory_order_relaxed);
	memcheck_quiet_begin();
	do
		entry->next = head;
	while (!atomic_compare_exchange_weak_explicit(&deferred_list, &head, entry,
						      memory_order_release, memory_order_relaxed));
	memcheck_quiet_end();
	gate_note_pending();
}

void deferred_free_all(void)
{
	struct deferred *entry, *next;

	entry = atomic_exchange_explicit(&deferred_list, NULL, memory_order_acquire);
	for (; entry; entry = next) {
		memcheck_quiet_begin();
		next = entry->next;
		entry->next = TAKEN;
		memcheck_quiet_end();
		if (next == TAKEN) {
			misuse_report("free()", "double free of", entry,
				      "while a thread forked or trimmed");
			return;
		}
		if (emergency_contains(entry))
			free_noted(entry);
		else
			kfree_inside(entry);
	}
}
