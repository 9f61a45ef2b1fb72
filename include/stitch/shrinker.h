/*
 * shrinker.h - caches of the program give memory back before an allocation fails
 * (include/linux/shrinker.h of the kernel).
 *
 * A program that keeps what it could make again (decoded images, parsed files, free buffers) says
 * so by a shrinker: two functions, one of which tells how many objects there are, the other frees
 * some of them. They are called
 *
 *	when there is no memory for malloc, operator new, stitch_kmalloc() and the like, and before
 *	these fail: up to 13 times, for a larger share of the objects each time, until there is
 *	enough. Not for requests that are larger than limit=, or without one than all that the
 *	program has ever had in use; nor without DIRECT_RECLAIM, or with NORETRY.
 *
 *	while the program uses more than soft_limit= allows, by who allocates just then, or by the
 *	background thread, which that one wakes;
 *
 *	by the thread of background_thread=1, whose stack has 256 KiB, while memory is short in the
 *	process's control group or on the machine;
 *
 *	by stitch_shrink_slab().
 *
 * As in the kernel, of `freeable` objects a call at priority p asks for
 *
 *	(freeable >> p) * 4 / seeks
 *
 * in batches of `batch`; what is less than a batch, and not all there is, is asked for later.
 * Priorities go from STITCH_DEF_PRIORITY down to 0.
 *
 * Where a shrinker is called: in any thread that allocates, and so with any lock of the program
 * held. What it needs a lock for it must only try to lock, and return STITCH_SHRINK_STOP or 0
 * where that fails. No lock of the allocator is held: it may free, and allocate (which then fails
 * without another shrinker being called, but has a right to the reserve, as in a scope of
 * stitch_memalloc_noreclaim_save). It must return: no longjmp, exception or thread exit; the thread
 * is not cancelled meanwhile, and errno is kept. It is not called in signal handlers that have
 * interrupted malloc. Who finds another thread's lock in the way waits some 50 ms for that
 * thread before an allocation fails.
 */
#ifndef STITCH_SHRINKER_H
#define STITCH_SHRINKER_H

#include "stitch/gfp.h"

#ifdef __cplusplus
extern "C" {
#endif

struct stitch_shrinker;

struct stitch_shrink_control {
	stitch_gfp_t gfp_mask;	 /* of the request; without FS or IO: free nothing that needs it */
	unsigned long nr_to_scan; /* scan_objects: how many objects to look at */
	unsigned long nr_scanned; /* scan_objects may say how many it has, if they are others */
};

/* What scan_objects returns where it can do nothing now; it is not called again at once. */
#define STITCH_SHRINK_STOP (~0ul)
/* count_objects: there are none at all. The same as 0. */
#define STITCH_SHRINK_EMPTY (~0ul - 1)

#define STITCH_DEFAULT_SEEKS 2
#define STITCH_SHRINK_BATCH 128
#define STITCH_DEF_PRIORITY 12

/*
 * The program fills in what is above the line, zeroes the rest, and keeps it in place until it is
 * unregistered. The functions are called by several threads at a time. Kernel: struct shrinker.
 */
struct stitch_shrinker {
	/* How many objects could be freed. 0: none, or not now. Must not wait. */
	unsigned long (*count_objects)(struct stitch_shrinker *shrinker,
				       struct stitch_shrink_control *control);
	/* Look at nr_to_scan of them. Returns how many were freed, or STITCH_SHRINK_STOP. */
	unsigned long (*scan_objects)(struct stitch_shrinker *shrinker,
				      struct stitch_shrink_control *control);
	long batch;	   /* objects a call; 0: STITCH_SHRINK_BATCH */
	int seeks;	   /* what it costs to make one again; STITCH_DEFAULT_SEEKS; 0: nothing */
	void *private_data; /* the program's */
	/* ---- */
	struct stitch_shrinker *next; /* ours, as are all below */
	unsigned long nr_deferred;
	unsigned long users;
	int state;
};

/*
 * From now on it is called. 0; or -1 and errno: EINVAL: functions are missing, or it is registered
 * already; EAGAIN: not now (a signal handler that has interrupted malloc; another thread's fork
 * lasts longer than a second); ENOSYS: malloc is not ours. Thread-safe. A child of fork has its
 * parent's shrinkers.
 * Kernel: shrinker_register; before 6.7 register_shrinker.
 */
int stitch_register_shrinker(struct stitch_shrinker *shrinker);

/*
 * It is no longer called, and no call is under way. Waits for those; not from one of its own
 * functions. Does nothing when it is not registered. 0; or -1 and errno EAGAIN as above.
 * Kernel: shrinker_free; before 6.7 unregister_shrinker.
 */
int stitch_unregister_shrinker(struct stitch_shrinker *shrinker);

/*
 * Call all of them once, with this priority: 0 to STITCH_DEF_PRIORITY. Returns how many objects
 * were freed; 0 also in a shrinker. Any thread, where malloc may be called.
 * Kernel: shrink_slab; drop_slab (echo 2 > /proc/sys/vm/drop_caches) does so with priority 0.
 */
unsigned long stitch_shrink_slab(stitch_gfp_t flags, int priority);

#ifdef __cplusplus
}
#endif

#endif
