/*
 * node_source.h - where the structures that need nodes (stitch/btree.h, radix_tree.h, idr.h) have
 * them from: a cache, a mempool, or, with neither, kmalloc.
 */
#ifndef STITCH_NODE_SOURCE_H
#define STITCH_NODE_SOURCE_H

#include "stitch/mempool.h"
#include "stitch/slab.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Not more than one of them. Objects of a cache, elements of a pool must be as large as a node. */
struct stitch_node_source {
	struct stitch_kmem_cache *cache;
	struct stitch_mempool *pool;
};

/* A node of `bytes` bytes, not cleared; NULL: there is none. */
static inline void *stitch_node_alloc(const struct stitch_node_source *source, size_t bytes,
				      stitch_gfp_t flags)
{
	if (source->pool)
		return stitch_mempool_alloc(source->pool, flags);
	if (source->cache)
		return stitch_kmem_cache_alloc(source->cache, flags);
	return stitch_kmalloc(bytes, flags);
}

static inline void stitch_node_free(const struct stitch_node_source *source, void *node)
{
	if (source->pool)
		stitch_mempool_free(node, source->pool);
	else if (source->cache)
		stitch_kmem_cache_free(source->cache, node);
	else
		stitch_kfree(node);
}

#ifdef __cplusplus
}
#endif

#endif
