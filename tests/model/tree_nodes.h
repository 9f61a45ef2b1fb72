/*
 * tree_nodes.h - caches, a mempool and kmalloc for the model tests of structures with nodes: they
 * count what is alive and refuse on demand. Include it once per test program.
 */
#ifndef TESTS_MODEL_TREE_NODES_H
#define TESTS_MODEL_TREE_NODES_H

#include "stitch/mempool.h"
#include "stitch/slab.h"
#include "kunit.h"

#define NEVER (~(uint64_t)0)

struct stitch_kmem_cache {
	size_t bytes;
	size_t nr_live;
	uint64_t nr_until_failure; /* so many succeed, then all fail; NEVER: none does */
};

struct stitch_mempool {
	struct stitch_kmem_cache elements;
};

/* What kmalloc gives. */
static struct stitch_kmem_cache kmalloc_cache = { 0, 0, NEVER };

static void *node_alloc(struct stitch_kmem_cache *cache, size_t bytes)
{
	void *object;

	if (!cache->nr_until_failure)
		return NULL;
	if (cache->nr_until_failure != NEVER)
		cache->nr_until_failure--;
	object = malloc(bytes);
	if (!object)
		abort();
	memset(object, 0xa5, bytes);
	cache->nr_live++;
	return object;
}

static void node_free(struct stitch_kmem_cache *cache, void *object)
{
	if (!object)
		return;
	if (!cache->nr_live)
		abort();
	cache->nr_live--;
	free(object);
}

void *stitch_kmem_cache_alloc(struct stitch_kmem_cache *cache, stitch_gfp_t flags)
{
	(void)flags;
	return node_alloc(cache, cache->bytes);
}

void stitch_kmem_cache_free(struct stitch_kmem_cache *cache, void *object)
{
	node_free(cache, object);
}

void *stitch_mempool_alloc(struct stitch_mempool *pool, stitch_gfp_t flags)
{
	(void)flags;
	return node_alloc(&pool->elements, pool->elements.bytes);
}

void stitch_mempool_free(void *element, struct stitch_mempool *pool)
{
	node_free(&pool->elements, element);
}

void *stitch_kmalloc(size_t bytes, stitch_gfp_t flags)
{
	(void)flags;
	return node_alloc(&kmalloc_cache, bytes);
}

void stitch_kfree(const void *object)
{
	node_free(&kmalloc_cache, (void *)(uintptr_t)object);
}

#endif
