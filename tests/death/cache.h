/* cache.h - what the death programs about kmem_caches share: their functions, weak in libc. */
#ifndef DEATH_CACHE_H
#define DEATH_CACHE_H

#include "death/death.h"
#include "kernel_api.h"

static inline struct stitch_kmem_cache *cache_with(stitch_slab_flags_t flags)
{
	return stitch_kmem_cache_create("victim", 100, 0, STITCH_SLAB_NO_MERGE | flags, NULL);
}

static inline char *object_of(struct stitch_kmem_cache *cache)
{
	return launder(stitch_kmem_cache_alloc(cache, STITCH_GFP_KERNEL));
}

#endif
