/*
 * cache_objects.h - objects of kmem_caches: from where they come, and where they go.
 *
 * L6. Any thread, at any time. An object comes from the thread's sheaf or the cache's slabs
 * (slab/cache_slab.h); of an alias from malloc's size class; for who may not wait from
 * mm/reserve.h; for whom the gate refuses from mm/emergency.h, and then its free may be deferred.
 * In all cases its constructor has run. Frees take it wherever it is.
 *
 * Constructors are the program's, and run outside the gate without any lock.
 */
#ifndef KMALLOC_CACHE_OBJECTS_H
#define KMALLOC_CACHE_OBJECTS_H

#include "slab/cache_slab.h"
#include "stitch/gfp.h"

/* NULL: no memory. Not zeroed. */
void *cache_object_alloc(struct kmem_cache *cache, stitch_gfp_t flags);

/* Of this node (mm/node.h), not the thread's. Strict: or none, though others have some. */
void *cache_object_alloc_node(struct kmem_cache *cache, unsigned int nid, bool strict);

/* kmem_cache_free: any address but NULL; what is not of this cache is reported. */
void cache_object_free(struct kmem_cache *cache, void *object);

/* kfree, of an address whose page is some cache's; the latter inside the gate. */
void cache_object_kfree(void *object);
void cache_object_kfree_inside(void *object);

/* NULL: no memory. The arguments are valid; their flags may get more (slub_debug=). */
struct kmem_cache *cache_create(struct kmem_cache_args *args);

/* False: some slab is left, or the gate was closed for long. */
bool cache_shrink(struct kmem_cache *cache);

/* The handle is gone. Objects that are alive are listed, as pr_err does. */
void cache_destroy(struct kmem_cache *cache);

/* What is kept for reuse, of all caches. Inside the gate. */
void cache_objects_drain(void);

/* A wrong object: details, the line of core/misuse.h, and then what on_error= says. */
void cache_fault_report(const char *operation, const struct cache_fault *fault);

/* Who has allocated it, if that is known. */
void cache_print_track(const char *what, const struct alloc_track *track);

#endif
