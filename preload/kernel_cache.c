/*
 * kernel_cache.c - the public functions of include/stitch/slab.h for caches of objects.
 *
 * L10. A hit is a try of the sheaf's word and a pop or push (slab/kmem_cache.h), of an alias of
 * malloc's that of malloc. Where caches are forbidden, or an object's bytes are checked, every call
 * takes its slow half.
 */
#include <errno.h>
#include <string.h>

#include "core/printk.h"
#include "debug/cache_tracks.h"
#include "debug/fault_inject.h"
#include "debug/leak_track.h"
#include "debug/alloc_profile.h"
#include "debug/stack_name.h"
#include "entry.h"
#include "kernel_node.h"
#include "kmalloc/cache_objects.h"
#include "kmalloc/gfp.h"
#include "stitch/slab.h"

_Static_assert(STITCH_SLAB_CONSISTENCY_CHECKS == CACHE_CONSISTENCY &&
	       STITCH_SLAB_RED_ZONE == CACHE_RED_ZONE && STITCH_SLAB_POISON == CACHE_POISON &&
	       STITCH_SLAB_HWCACHE_ALIGN == CACHE_HWCACHE_ALIGN &&
	       STITCH_SLAB_STORE_USER == CACHE_STORE_USER &&
	       STITCH_SLAB_NO_MERGE == CACHE_NO_MERGE, "the same bits");

/* What the program has a pointer to is the cache itself. */
static struct kmem_cache *inner(const struct stitch_kmem_cache *cache)
{
	return (struct kmem_cache *)(uintptr_t)cache; // NOLINT
}

/* --- caches come and go ---------------------------------------------------------------------- */

/* Stacks are wanted: one thread at a time, as creation is. */
static void prepare_tracks(uint32_t flags)
{
	static _Atomic bool is_busy;

	if (!(flags & STITCH_SLAB_STORE_USER) || atomic_exchange(&is_busy, true))
		return;
	cache_tracks_init(true);
	atomic_store(&is_busy, false);
}

static int create(struct kmem_cache_args *args, struct kmem_cache **cache)
{
	bool had_slot = mm_thread_has_slot();

	if (!kmem_cache_args_are_valid(args))
		return EINVAL;
	if (!heap_ready())
		return ENOSYS;
	if (args->ctor)
		program_state_use();
	prepare_tracks(kmem_cache_debug_flags(args->name, args->flags));
	*cache = cache_create(args);
	thread_settle(had_slot);
	return *cache ? 0 : ENOMEM;
}

__visible struct stitch_kmem_cache *stitch_kmem_cache_create(const char *name, unsigned int size,
							     unsigned int align,
							     stitch_slab_flags_t flags,
							     void (*ctor)(void *object))
{
	struct kmem_cache_args args = {
		.name = name, .size = size, .align = align, .flags = flags, .ctor = ctor,
	};
	struct kmem_cache *cache = NULL;
	int error = create(&args, &cache);

	if (!error)
		return (struct stitch_kmem_cache *)cache;
	if (flags & STITCH_SLAB_PANIC)
		panic("kmem_cache_create(%s): error %d", name ? name : "NULL", error);
	errno = error;
	return NULL;
}

__visible void stitch_kmem_cache_destroy(struct stitch_kmem_cache *cache)
{
	bool had_slot = mm_thread_has_slot();

	if (!cache)
		return;
	cache_destroy(inner(cache));
	thread_settle(had_slot);
}

__visible int stitch_kmem_cache_shrink(struct stitch_kmem_cache *cache)
{
	bool had_slot = mm_thread_has_slot();
	bool is_empty = cache_shrink(inner(cache));

	thread_settle(had_slot);
	return !is_empty;
}

__visible unsigned int stitch_kmem_cache_size(const struct stitch_kmem_cache *cache)
{
	return inner(cache)->object_size;
}

/* --- objects --------------------------------------------------------------------------------- */

static __inline_always void *pop(struct kmem_cache *cache)
{
	return likely(cache->target != NULL) ? cache_sheaf_pop(cache->target) :
					       sheaf_pop(current_slot, cache->class);
}

/* Of malloc's class, and not some other's. */
static __inline_always bool push_to_class(const struct kmem_cache *cache, void *object)
{
	size_t pfn = virt_to_pfn(object);
	uint32_t entry = likely(pfn < mm_map.nr_pages) ? pagemap_read(pfn) : 0;

	return pagemap_is_slab(entry) && pagemap_class(entry) == cache->class && free_fast(object);
}

static __inline_always bool push(struct kmem_cache *cache, void *object)
{
	return likely(cache->target != NULL) ? cache_sheaf_push(cache->target, object) :
					       push_to_class(cache, object);
}

static inline void *settled(const struct kmem_cache *cache, void *object,
				     stitch_gfp_t flags, bool had_slot)
{
	thread_settle(had_slot);
	if (unlikely(!object)) {
		errno = ENOMEM;
		return NULL;
	}
	if ((flags & STITCH__GFP_ZERO) && !cache->ctor)
		memset(object, 0, cache->object_size);
	if (gfp_may_wait(flags)) {
		gfp_fill_reserve();
		background_consider();
		relief_consider(flags);
	}
	return object;
}

static void *alloc_plain(struct kmem_cache *cache, stitch_gfp_t flags)
{
	bool had_slot = mm_thread_has_slot();

	return settled(cache, cache_object_alloc(cache, flags), flags, had_slot);
}

/* Not inlined, and tracks by itself: stacks begin with the name that the program has called. */
static __slow void *stitch_kmem_cache_alloc_detour(struct kmem_cache *cache, stitch_gfp_t flags)
{
	void *object;

	if (fault_inject("kmem_cache_alloc()", cache->object_size, flags)) {
		errno = ENOMEM;
		return NULL;
	}
	object = alloc_plain(cache, leak_tracking() ? flags | STITCH__GFP_ZERO : flags);
	if (leak_tracking() && object && gfp_may_wait(flags))
		leak_track(object, cache->object_size);
	else if (leak_tracking() && object)
		leak_untrack(object); /* whose the record was is over */
	return object;
}
STACK_NAME(stitch_kmem_cache_alloc_detour, "stitch_kmem_cache_alloc");

static __slow void *stitch_kmem_cache_alloc_slow(struct kmem_cache *cache, stitch_gfp_t flags)
{
	return likely(!mm_has_detours()) ? alloc_plain(cache, flags) :
					   stitch_kmem_cache_alloc_detour(cache, flags);
}

__visible void *stitch_kmem_cache_alloc(struct stitch_kmem_cache *cache, stitch_gfp_t flags)
{
	void *object = likely(gfp_is_plain(flags)) ? pop(inner(cache)) : NULL;

	return likely(object != NULL) ? object : stitch_kmem_cache_alloc_slow(inner(cache), flags);
}

__visible void *stitch_kmem_cache_zalloc(struct stitch_kmem_cache *cache, stitch_gfp_t flags)
{
	bool may_hit = gfp_is_plain(flags) && !inner(cache)->ctor;
	void *object = likely(may_hit) ? pop(inner(cache)) : NULL;

	if (likely(object != NULL))
		return memset(object, 0, inner(cache)->object_size);
	return stitch_kmem_cache_alloc_slow(inner(cache), flags | STITCH__GFP_ZERO);
}

/* Of the node; else, if that may be, of another. */
static void *alloc_of_node(struct kmem_cache *cache, stitch_gfp_t flags, int nid)
{
	bool had_slot = mm_thread_has_slot(), strict = flags & STITCH__GFP_THISNODE;
	unsigned int nr_tries = 0;
	void *object;

	do
		object = cache_object_alloc_node(cache, (unsigned int)nid, strict);
	while (!object && strict && gfp_try_harder(flags, cache->object_size, &nr_tries));
	if (unlikely(!object) && !strict)
		object = cache_object_alloc(cache, flags);
	return settled(cache, object, flags, had_slot);
}

/* From the thread's sheaf, where others' objects may have been freed, too. */
static void *pop_of_node(struct kmem_cache *cache, int nid)
{
	void *object = current_slot->nid == nid ? pop(cache) : NULL;

	if (!object || (int)page_to_nid(pfn_to_page(virt_to_pfn(object))) == nid)
		return object;
	if (!push(cache, object))
		cache_object_free(cache, object);
	return NULL;
}

__visible void *stitch_kmem_cache_alloc_node(struct stitch_kmem_cache *cache, stitch_gfp_t flags,
					     int nid)
{
	void *object;

	if (node_is_refused(nid))
		return NULL;
	if (!is_for_node(nid, flags) || !gfp_may_wait(flags))
		return stitch_kmem_cache_alloc(cache, flags);
	object = gfp_is_plain(flags) ? pop_of_node(inner(cache), nid) : NULL;
	if (object)
		return object;
	if (fault_inject("kmem_cache_alloc_node()", inner(cache)->object_size, flags)) {
		errno = ENOMEM;
		return NULL;
	}
	object = alloc_of_node(inner(cache), leak_tracking() ? flags | STITCH__GFP_ZERO : flags,
			       nid);
	if (leak_tracking() && object)
		leak_track(object, inner(cache)->object_size);
	return object;
}

static void free_and_settle(struct kmem_cache *cache, void *object)
{
	bool had_slot = mm_thread_has_slot();

	cache_object_free(cache, object);
	thread_settle(had_slot);
}

static __slow void free_detour(struct kmem_cache *cache, void *object)
{
	if (leak_profiling())
		leak_track_end(object);
	free_and_settle(cache, object);
}

static __slow void free_slow_half(struct kmem_cache *cache, void *object)
{
	if (!object)
		return;
	if (likely(slot_frees_unseen()))
		cache_object_free(cache, object);
	else if (unlikely(mm_has_detours()))
		free_detour(cache, object);
	else
		free_and_settle(cache, object);
}

__visible void stitch_kmem_cache_free(struct stitch_kmem_cache *cache, void *object)
{
	if (unlikely(!push(inner(cache), object)))
		free_slow_half(inner(cache), object);
}

__visible void stitch_kmem_cache_free_bulk(struct stitch_kmem_cache *cache, size_t count,
					   void **objects)
{
	for (size_t i = 0; i < count; i++)
		stitch_kmem_cache_free(cache, objects[i]);
}

__visible int stitch_kmem_cache_alloc_bulk(struct stitch_kmem_cache *cache, stitch_gfp_t flags,
					   size_t count, void **objects)
{
	if (count > INT32_MAX) {
		errno = ENOMEM;
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		objects[i] = stitch_kmem_cache_alloc(cache, flags);
		if (unlikely(!objects[i])) {
			stitch_kmem_cache_free_bulk(cache, i, objects);
			return 0;
		}
	}
	return (int)count;
}
