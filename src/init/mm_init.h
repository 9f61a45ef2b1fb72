/*
 * mm_init.h - boot order and fork.
 *
 * L9. mm_init() takes the machine from nothing to MM_UP and may be called by any thread, as often
 * as it likes; it costs one load once the heap is up. It calls nothing of libc that allocates.
 */
#ifndef INIT_MM_INIT_H
#define INIT_MM_INIT_H

#include "slab/slot.h"

enum mm_state {
	MM_DOWN,    /* nothing mapped; only mm_init may run */
	MM_BOOTING, /* one thread is in mm_init; others wait for it */
	MM_UP,	    /* everything works */
	MM_FAILED,  /* not even the smallest reserve could be had: every allocation fails */
};

extern _Atomic uint32_t mm_state;

/* True when the heap is up. */
bool mm_init(void);

/*
 * Fork handlers (pthread_atfork order: prepare before, parent/child after). prepare closes the
 * gate; the child inherits the slots of the threads that it does not have.
 */
void mm_fork_prepare(void);
void mm_fork_parent(void);
void mm_fork_child(void);

/*
 * The calling thread is going away: leave its heap slot to the next thread. Calls of kmalloc and
 * kfree by the thread remain legal afterwards (each borrows a slot).
 */
void mm_thread_exit(void);

/*
 * The calling thread allocates for this group (mm/memcontrol.h) from now on; 0: for none. False: it
 * is no group that is live. Not in signal handlers.
 */
bool mm_thread_enter(unsigned int memcg);

/* True from the thread's first own slot on, until mm_thread_exit. */
static inline bool mm_thread_has_slot(void)
{
	return slot_is_held();
}

#endif
