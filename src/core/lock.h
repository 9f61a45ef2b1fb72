/*
 * lock.h - the one kind of lock: a futex mutex with a mandatory rank.
 *
 * L2. Lock order is enum lock_rank: a thread only takes locks of a higher rank than all those it
 * holds. Debug builds check that at every acquisition.
 *
 * There is one lock a rank, in one static table: none can be forgotten at a fork.
 *
 * A lock's word says who holds it and whether somebody sleeps (after Drepper, "Futexes are
 * tricky", mutex 2): at any instruction, a signal handler's too, it is known whose a lock is.
 *
 * Fork: kmalloc/gate.h sees to it that no lock is held then. A child that was made without our
 * handlers may find locks held by threads that it does not have; locks_held_by_others tells.
 */
#ifndef CORE_LOCK_H
#define CORE_LOCK_H

#include "base/compiler.h"

enum lock_rank {
	LOCK_BOOT,     /* init/: the boot */
	LOCK_SHRINKERS, /* kmalloc/shrinker.c: which there are */
	LOCK_DEVRES,   /* kmalloc/devres.c: what devices own */
	LOCK_SHARED_SLOT, /* slab/slot.c: the slot of threads that have none */
	LOCK_SLOTS,    /* slab/slot.c: which thread holds which heap slot; adoption */
	LOCK_CACHES,   /* slab/kmem_cache.c: the slabs of all kmem_caches, and which there are */
	LOCK_BARN,     /* slab/barn.c: spare batches and sheaf arrays */
	LOCK_RECLAIM,  /* mm/reclaim.c: free pages are isolated while it is held */
	LOCK_MAPPINGS, /* vmalloc/mapping.c: which there are */
	LOCK_HIGHMEM,  /* mm/highmem.c; kmalloc/vmap.c: which areas there are */
	LOCK_LOWMEM,   /* mm/lowmem.c */
	LOCK_ZONE,     /* mm/: buddy, page runs, ranges, residency, sections */
	LOCK_MEMBLOCK, /* core/memblock.c */
	NR_LOCK_RANKS,
};

void lock_acquire(enum lock_rank rank);
void lock_release(enum lock_rank rank);
/* False: somebody else has it. */
bool lock_try_acquire(enum lock_rank rank);

/* For assertions: the calling thread holds the lock (debug builds; true otherwise). */
bool lock_is_held(enum lock_rank rank);

/*
 * In a child that has one thread, the caller: a thread of the parent that held one of the locks is
 * not here and will never release it. These can be acquired from now on, so that a slow path
 * which the fork has interrupted comes to its end; but what they protect may be anyhow.
 */
bool locks_held_by_others(void);

/*
 * Around a fork by a signal handler that has interrupted a slow path of this thread, which the
 * child will finish: take all locks above those that it holds already. Whoever holds one of them
 * releases it sooner or later, and the child will not find it held. Signal handlers may do the
 * same meanwhile; one release is for all.
 */
void locks_take_rest(void);
void locks_release_rest(void);

#endif
