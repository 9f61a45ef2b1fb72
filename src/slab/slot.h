/*
 * slot.h - heap slots: what a thread owns, and how it changes hands.
 *
 * L4. A slot holds a thread's sheaves, the slabs that it refills them from, its pcp lists, the
 * objects of other slots that it has freed (outboxes), and what others have freed of its own
 * (inbox). A thread takes a slot at its first malloc and leaves it, whole, at exit; the next thread
 * inherits it, if it is in the same group (mm/memcontrol.h) and on the same node (mm/node.h): a
 * slot belongs to one of each for good, so that what its slabs and its pcp take is charged to the
 * right one, and taken from there, without being asked about.
 *
 * States:
 *	held by		 who may touch it
 *	SLOT_FREE	 whoever has LOCK_SLOTS (adopters); it is on the stack of free slots
 *	SLOT_HELD	 its thread only; others push to its inbox
 *	SLOT_SHARED	 whoever has LOCK_SHARED_SLOT: threads without a slot of their own, and
 *			 in hardened mode all; one for each group and node
 *	SLOT_LEFT	 nobody: its thread ended while a fork kept it from freeing the slot,
 *			 or did not survive the fork; slots_collect_left frees it
 *	SLOT_LOST	 nobody: at a _Fork or clone, which our handlers did not see, somebody who
 *			 did not survive it was amid a slow path of the slot, or visiting it
 *
 * Lock order: LOCK_SHARED_SLOT, LOCK_SLOTS, then those of lower layers.
 */
#ifndef SLAB_SLOT_H
#define SLAB_SLOT_H

#include "mm/pcp.h"
#include "slab/size_class.h"

/* Free objects of one owner and class on their way home. Written by one thread at a time. */
#define BATCH_MAX_OBJECTS 62u
struct batch {
	struct batch *next; /* in an inbox or the barn */
	uint32_t entry;	    /* page map entry of its objects: owner and class */
	uint16_t nr_objects;
	uint16_t limit; /* nr_objects at which it is handed over; at most BATCH_MAX_OBJECTS */
	void *objects[BATCH_MAX_OBJECTS];
};
_Static_assert(sizeof(struct batch) == 512, "eight cache lines");

/*
 * A row for each of 16 owners, a box for each class: batches that push each other out are handed
 * over half empty, at 512 bytes for one object. With 64 boxes in all, four threads that freed
 * each other's objects for a minute filled 140 MiB with them.
 */
#define NR_OUTBOX_ROWS 16u
#define OUTBOX_ROW 64u
#define NR_OUTBOXES (NR_OUTBOX_ROWS * OUTBOX_ROW)
_Static_assert(NR_SIZE_CLASSES <= OUTBOX_ROW, "no two classes share a box");

/* One size class in one slot: the cold part. The hot one is the slot's top[class]. */
struct slot_class {
	struct list_head partial; /* slabs with free objects */
	void **sheaf;		  /* the sentinel below the bottom */
	uint16_t capacity;	  /* objects that the sheaf holds; 0: the empty sheaf */
	uint16_t nr_misses;	  /* refills and flushes since the sheaf last grew */
	uint32_t nr_flushed;	  /* objects, since the last refill */
	uint32_t nr_slabs;
	uint32_t next_colour;	  /* bytes before the first object of the next slab */
	uint16_t nr_hidden;	  /* objects in the sheaf while it is closed, else 0 */
	uint16_t nr_visits;	  /* allocations since it was closed (sheaf.h) */
};

/* Of each kmem_cache (kmem_cache.h). */
#define NR_CACHE_SHEAVES 16u
#define NO_CACHE_SHEAF NR_CACHE_SHEAVES

enum slot_state { SLOT_FREE, SLOT_HELD, SLOT_SHARED, SLOT_LEFT, SLOT_LOST };

struct slot {
	/*
	 * Sheaves are stacks of pointers to free objects, with a sentinel at either end:
	 *
	 *	 NULL | object | object | ... | stale | stale | SHEAF_END
	 *			       top ^
	 * top[-1] is what malloc returns, unless it is NULL; *top is where free stores,
	 * unless it holds SHEAF_END. The empty sheaf is both at once: every malloc and every
	 * free misses. Not yet initialised and hardened are this one case; and so is a closed
	 * sheaf (sheaf.h), whose array and objects wait where they are.
	 */
	void **top[NR_SIZE_CLASSES + 1]; /* the last is always empty (size_class_index_malloc) */
	uint32_t tag; /* page map entry of this slot's slabs, with class 0 */
	uint32_t id;
	uint16_t memcg;
	uint16_t nid;
	uint16_t cache_sheaf; /* which of a kmem_cache's; all who have it are of one node */
	/* enum slot_state; written under LOCK_SLOTS, but HELD -> LEFT by its thread */
	_Atomic uint32_t state;
	uint32_t sheaf_bytes;	 /* memory of the sheaves' arrays; bounded (sheaf.c) */
	uint32_t nr_slab_pages;	 /* in the slot's slabs */
	uint16_t closed_at;	 /* zone.now when its sheaves were last closed */
	size_t nr_free_seen;	 /* fewest free pages with frames seen since then */
	size_t nr_faulted_seen;	 /* when large objects were last given up (mm/zone.h) */
	struct slot *next_free;	 /* LOCK_SLOTS */
	_Atomic uintptr_t inside; /* kmalloc/gate.h: its thread is in a slow path */
	struct slot_class class[NR_SIZE_CLASSES];
	struct batch *outbox[NR_OUTBOXES];
	uint32_t outbox_rows; /* bit r is set if something is in row r */
	struct pcp pcp;
	_Atomic(struct batch *) inbox __cacheline_aligned; /* the one line that others write */
	_Atomic(struct stray *) strays;			   /* objects that no batch had room for */
};

#define SHEAF_END ((void *)1)

/*
 * The calling thread's slot, never NULL: before its first slow path this is slot_none, after
 * slot_release it is slot_gone. Both are read-only and have empty sheaves and tag 0, which
 * no slab carries.
 */
extern _Thread_local struct slot *current_slot __tls_initial_exec;
extern struct slot slots_of_nobody[2];
#define slot_none (slots_of_nobody[0])
#define slot_gone (slots_of_nobody[1])

/* Make the shared slots of a group, if there are none yet. False without memory. */
bool slots_ready(unsigned int memcg);

/* The thread has a slot of its own. */
static inline bool slot_is_held(void)
{
	return likely((uintptr_t)current_slot - (uintptr_t)slots_of_nobody >=
		      sizeof(slots_of_nobody));
}

/* Offset from which on slot_frees_unseen takes a slot for one. Boot only. */
extern size_t slot_unseen_from __hidden;
void slot_see_all_frees(void);

/* The thread has a slot of its own, and nobody wants to see each of its frees (profile=). */
static inline bool slot_frees_unseen(void)
{
	return likely((uintptr_t)current_slot - (uintptr_t)slots_of_nobody >=
		      (CONFIG_LEAKS ? slot_unseen_from : sizeof(slots_of_nobody)));
}

/*
 * The slot to work with: the thread's own (taken now if it has none yet), else the shared one of
 * its group and node, locked. Pass it to slot_leave when done. Never NULL. In hardened mode
 * everybody uses a shared one: it has no sheaves and no other slots, so every free meets its slab
 * at once.
 */
struct slot *slot_enter(void);
/* As slot_enter, of this node: the shared one, if the thread's own is of another. */
struct slot *slot_enter_node(unsigned int nid);
void slot_leave(struct slot *slot);

/*
 * As slot_enter, for a free: a thread that has no slot is only given one when it frees again and
 * again. libc frees other threads' storage as the very last act of a detached thread, after
 * all destructors: a slot taken then would be held for ever.
 */
struct slot *slot_enter_to_free(void);

/* Pages are wanted that are not in the thread's stock. It is inside. */
static inline void slot_want_pages(void)
{
	if (slot_is_held())
		pcp_give_up_long(&current_slot->pcp);
}

/* Leave the thread's slot to the next thread of its group and node. */
void slot_release(void);

/* The same without a lock: somebody else frees the slot, by slots_collect_left. */
void slot_abandon(void);
void slots_collect_left(void);

/* By the id in a page map entry; NULL when there is no such slot. */
struct slot *slot_by_id(uint32_t id);

/* Slots made so far: ids 1..slot_count(). */
uint32_t slot_count(void);
uint32_t slot_count_held(void);

/*
 * Call fn for every slot that nobody holds, the shared ones too, under the lock that guards it. Of
 * groups within `memcg`; 0: of all.
 */
void slots_visit_free(void (*fn)(struct slot *), unsigned int memcg);

/*
 * The next slot after this one (NULL: the first) that another thread holds, of such groups; NULL:
 * there is none.
 */
struct slot *slot_next_held(const struct slot *after, unsigned int memcg);

/*
 * Call fn for a slot if another thread holds it; returns what it returns. The caller has closed the
 * gate (kmalloc/gate.h): fn may work at all but sheaves and outboxes. A child that another thread
 * makes amid it without our handlers loses the slot.
 */
bool slot_visit_held(struct slot *slot, bool (*fn)(struct slot *slot));

/*
 * In the child of a fork: slots of threads that are not here are left. Not so if these may have
 * been in slow paths and the slot shows that its thread was: it is lost. So is the slot that one of
 * them was visiting, the caller's own, too, who then has none. Takes no lock and may be done
 * twice: a signal handler may have forked at any instant.
 */
void slots_after_fork(bool nobody_was_inside);

#endif
