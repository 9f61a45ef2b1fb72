/* entries_cache.h - see entries.h: caches of include/stitch/slab.h. */
#ifndef HOSTILE_ENTRIES_CACHE_H
#define HOSTILE_ENTRIES_CACHE_H

#include "kernel_api.h"

/* Everything but creation wants a cache, which is then the process's first call. */
static inline struct stitch_kmem_cache *entry_cache(void)
{
	return stitch_kmem_cache_create("entries", 100, 0, STITCH_SLAB_NO_MERGE, NULL);
}

static inline bool entry_cache_bulk(void)
{
	struct stitch_kmem_cache *cache = entry_cache();
	void *objects[3];

	if (stitch_kmem_cache_alloc_bulk(cache, STITCH_GFP_KERNEL, 3, objects) != 3)
		return false;
	stitch_kmem_cache_free_bulk(cache, 3, objects);
	return true;
}

static inline bool entry_cache_free(void)
{
	struct stitch_kmem_cache *cache = entry_cache();

	stitch_kmem_cache_free(cache, stitch_kmem_cache_alloc(cache, STITCH_GFP_KERNEL));
	return stitch_kmem_cache_shrink(cache) == 0;
}

static inline bool entry_call_cache(const char *name)
{
	SAYS(stitch_kmem_cache_create, entry_cache() != NULL)
	GIVES(stitch_kmem_cache_alloc, 8, stitch_kmem_cache_alloc(entry_cache(), STITCH_GFP_KERNEL))
	GIVES(stitch_kmem_cache_alloc_node, 8,
	      stitch_kmem_cache_alloc_node(entry_cache(), STITCH_GFP_KERNEL, 0))
	GIVES(stitch_kmem_cache_zalloc, 8,
	      stitch_kmem_cache_zalloc(entry_cache(), STITCH_GFP_KERNEL))
	SAYS(stitch_kmem_cache_free, entry_cache_free())
	SAYS(stitch_kmem_cache_alloc_bulk, entry_cache_bulk())
	SAYS(stitch_kmem_cache_free_bulk, entry_cache_bulk())
	SAYS(stitch_kmem_cache_shrink, stitch_kmem_cache_shrink(entry_cache()) == 0)
	SAYS(stitch_kmem_cache_destroy, (stitch_kmem_cache_destroy(entry_cache()), true))
	SAYS(stitch_kmem_cache_size, stitch_kmem_cache_size(entry_cache()) == 100)
	return false;
}

#endif
