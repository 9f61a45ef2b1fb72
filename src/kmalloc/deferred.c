/* deferred.c - see deferred.h. */
#include "kmalloc/deferred.h"

#include "core/memcheck.h"
#include "core/misuse.h"
#include "kmalloc/gate.h"
#include "kmalloc/kmalloc.h"
#include "kmalloc/owner.h"

struct deferred {
	struct deferred *next;
};

static _Atomic(struct deferred *) deferred_list;

/* Marks an object whose turn has come: one that was freed twice has made the list a ring. */
#define TAKEN ((struct deferred *)1)

void deferred_free(void *object)
{
	struct owner owner = owner_of(object);
	struct deferred *entry = object, *head;

	if (owner.kind == OWNER_WRONG || owner.kind == OWNER_FOREIGN) {
		owner_report_wrong("free()", object);
		return;
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
			misuse_report("free()", "double free of", entry, "while a thread forked");
			return;
		}
		kfree_inside(entry);
	}
}
