/*
 * cache_slab.h - the slabs of a kmem_cache: objects out and in, behind its sheaves.
 *
 * L4. The caller is inside the gate and has entered `slot`; holds LOCK_CACHES only where that is
 * said. No function here is for an alias.
 */
#ifndef SLAB_CACHE_SLAB_H
#define SLAB_CACHE_SLAB_H

#include "slab/cache_debug.h"

/*
 * An object, from the slabs that the slot's node has or from a new one, at last from those of
 * others (mm/node.h); with it the thread's sheaf is filled, if that is of this node. *fault: a free
 * object that was written to, and is not given out any more.
 *
 * NULL: no memory; or, if *unbuilt is set, a new slab whose objects are to be constructed first:
 * without locks, by cache_slab_build.
 */
void *cache_slab_alloc(struct kmem_cache *cache, struct slot *slot, const struct alloc_track *track,
		       struct page **unbuilt, struct cache_fault *fault);

/*
 * Call the constructor for all objects of the slab, and give it to the cache. Returns one of its
 * objects. Needs neither gate nor slot: the constructor is the program's and may do anything.
 */
void *cache_slab_build(struct kmem_cache *cache, struct page *head,
		       const struct alloc_track *track);

/* An object of the cache, into the sheaf or its slab. *fault: nothing happened. */
void cache_slab_free(struct kmem_cache *cache, struct slot *slot, void *object,
		     const struct alloc_track *track, struct cache_fault *fault);

/* Empty the sheaves into the slabs, give all empty slabs back. Returns how many are left. */
size_t cache_slab_shrink(struct kmem_cache *cache, struct slot *slot);
void cache_slabs_shrink_all(struct slot *slot);

/*
 * Call fn for every object that is taken and in no sheaf, up to `max`. Returns how many there are
 * in all. Takes LOCK_CACHES.
 */
typedef void cache_object_fn(void *context, const void *object);
size_t cache_slab_visit_live(struct kmem_cache *cache, cache_object_fn *fn, void *context,
			     size_t max);

/* Slabs that were constructed, to the lists; and objects in the sheaves. LOCK_CACHES is held. */
void cache_collect_fresh_locked(struct kmem_cache *cache);
size_t cache_sheaved_locked(const struct kmem_cache *cache);

#endif
