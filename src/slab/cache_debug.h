/*
 * cache_debug.h - what surrounds an object of a debug cache, and how it is checked.
 *
 * L4. The caller holds LOCK_CACHES, or is the only one who knows the slab. Layout, as in the
 * kernel's mm/slub.c (each part only with its flag):
 *
 *	| red zone | object ... 0x6b 0x6b 0xa5 | red zone | two tracks | rest of the stride |
 *
 * Red zones are 0xbb beside a free object and 0xcc beside a live one. With a constructor objects
 * are not poisoned.
 *
 * Nothing is printed under a lock: what is wrong is told in a struct cache_fault.
 */
#ifndef SLAB_CACHE_DEBUG_H
#define SLAB_CACHE_DEBUG_H

#include "core/hooks.h"
#include "slab/kmem_cache.h"

enum { TRACK_ALLOC, TRACK_FREE, NR_TRACKS };

/* Something is wrong, unless `what` is NULL. */
struct cache_fault {
	const struct kmem_cache *cache;
	const char *what;
	const void *object;
	const unsigned char *at, *last; /* the first and the last wrong byte; or NULL */
	unsigned char found, expected;
	struct alloc_track tracks[NR_TRACKS];
};

/* Sizes of the parts for this object size and these flags. Returns the bytes that all take. */
size_t cache_debug_layout(struct kmem_cache *cache, size_t size);

/* A new object of a new slab, before its constructor. */
void cache_debug_init(const struct kmem_cache *cache, void *object);

/* On the way out and in; false: *fault says why not. */
bool cache_debug_alloc(const struct kmem_cache *cache, void *object,
		       const struct alloc_track *track, struct cache_fault *fault);
bool cache_debug_free(const struct kmem_cache *cache, void *object,
		      const struct alloc_track *track, struct cache_fault *fault);

/* All zero where nobody has stored any. */
struct alloc_track cache_debug_track(const struct kmem_cache *cache, const void *object,
				     unsigned int which);

/* Not about bytes: "double free of" and such. */
void cache_fault_set(struct cache_fault *fault, const struct kmem_cache *cache, const char *what,
		     const void *object);

#endif
