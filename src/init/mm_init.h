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
 * Why calls are to be looked at before they take their slow path: the one thing that entry points
 * ask on the way. Bits of enum mm_detour; without any the heap is up.
 */
enum mm_detour {
	MM_DETOUR_BOOT = 1, /* until mm_state is MM_UP, and a moment longer */
	MM_DETOUR_FAULTS = 2, /* debug/fault_inject.h */
	MM_DETOUR_TRACKS = 4, /* debug/leak_track.h: leak_tracking(), leak_sampling() */
	MM_DETOUR_SAMPLES = 8,
};

extern _Atomic uint8_t mm_detours __hidden;

static inline unsigned int mm_detours_now(void)
{
	return atomic_load_explicit(&mm_detours, memory_order_acquire);
}

static inline bool mm_has_detours(void)
{
	return unlikely(mm_detours_now());
}

static inline bool mm_only_sample(unsigned int detours)
{
	return CONFIG_LEAKS && likely(detours == MM_DETOUR_SAMPLES);
}

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
