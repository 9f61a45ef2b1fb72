/*
 * heap.h - the heap as the entry points call it: marked.h, and when that has no memory, shrinkers
 * (stitch/shrinker.h) until it has, or they have nothing left. Under limit= and in groups
 * (mm/memcontrol.h), too, what threads keep counts as used, and is given back first.
 *
 * L10.
 */
#ifndef PRELOAD_HEAP_H
#define PRELOAD_HEAP_H

#include "kmalloc/shrinker.h"
#include "marked.h"
#include "mm/zone.h"

/* heap.c: heap_has_more(), and a first attempt has failed. */
void *heap_alloc_again(size_t bytes);
void *heap_pages_of_own_again(size_t bytes);
void *heap_zalloc_again(size_t bytes);
void *heap_aligned_again(size_t align, size_t bytes);
void *heap_realloc_again(void *object, size_t bytes);

/* After an attempt that has failed there is something that could be done. */
static inline bool heap_has_more(void)
{
	return shrinkers_are_there() || zone_is_limited() || active_memcg;
}

static __inline_always bool heap_is_done(const void *object)
{
	return likely(object) || likely(!heap_has_more());
}

static __inline_always void *heap_alloc(size_t bytes)
{
	void *object = try_alloc(bytes);

	return heap_is_done(object) ? object : heap_alloc_again(bytes);
}

static __inline_always void *heap_pages_of_own(size_t bytes)
{
	void *object = try_pages_of_own(bytes);

	return heap_is_done(object) ? object : heap_pages_of_own_again(bytes);
}

static __inline_always void *heap_zalloc(size_t bytes)
{
	void *object = try_zalloc(bytes);

	return heap_is_done(object) ? object : heap_zalloc_again(bytes);
}

static __inline_always void *heap_aligned(size_t align, size_t bytes)
{
	void *object = try_aligned(align, bytes);

	return heap_is_done(object) ? object : heap_aligned_again(align, bytes);
}

/* The object is as it was when there is no memory. */
static __inline_always void *heap_realloc(void *object, size_t bytes)
{
	void *resized = try_realloc(object, bytes);

	return heap_is_done(resized) ? resized : heap_realloc_again(object, bytes);
}

#endif
