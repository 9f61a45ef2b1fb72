/*
 * shrinker.h - the shrinkers of include/stitch/shrinker.h: which there are, and calling them.
 *
 * L6. LOCK_SHRINKERS, taken inside the gate, protects the list. The functions are called outside
 * the gate and without a lock; who calls one holds it by its count of users meanwhile, and
 * whoever wants it off the list waits until there are none. In a child of fork nobody uses any,
 * and who was in one at the fork is not counted out again: that was another generation.
 */
#ifndef KMALLOC_SHRINKER_H
#define KMALLOC_SHRINKER_H

#include "base/compiler.h"
#include "stitch/shrinker.h"

/* 0, -EINVAL, -EAGAIN, as the public functions have them. */
int shrinker_register(struct stitch_shrinker *shrinker);
int shrinker_unregister(struct stitch_shrinker *shrinker);

/* Each of them, with this priority. Returns how many objects were freed. Outside the gate. */
unsigned long shrink_slab(stitch_gfp_t flags, unsigned int priority);

/*
 * A request for so many bytes has found no memory; *nr_tries is kept for it, and 1 at first. True:
 * some was freed, or may have been by another thread: try again. False: there are no shrinkers, or
 * none has anything. Outside the gate.
 */
bool shrinkers_help(stitch_gfp_t flags, size_t bytes, unsigned int *nr_tries);

/*
 * Relieve a zone that is crowded (mm/zone.h), or the machine: free something, a larger share each
 * time as long as that goes on. At most one thread at a time, and not again at once. Outside the
 * gate.
 */
void shrinkers_relieve(stitch_gfp_t flags);

/* Between two of these. */
#define RELIEF_PAUSE_MS 20u

extern _Atomic uint32_t nr_shrinkers;

static inline bool shrinkers_are_there(void)
{
	return unlikely(atomic_load_explicit(&nr_shrinkers, memory_order_relaxed));
}

/* In a child: other threads' calls are not under way any more. */
void shrinkers_after_fork(void);

#endif
