/* cache_debug.c - see cache_debug.h. */
#include "slab/cache_debug.h"

#include <string.h>

#include "base/math.h"

/* include/linux/poison.h */
#define RED_INACTIVE 0xbbu
#define RED_ACTIVE 0xccu
#define POISON_FREE 0x6bu
#define POISON_END 0xa5u

static size_t right_zone_bytes(const struct kmem_cache *cache)
{
	size_t end = align_up(cache->object_size, 8);

	if (!(cache->flags & CACHE_RED_ZONE))
		return 0;
	return end - cache->object_size + (end == cache->object_size ? 8 : 0);
}

size_t cache_debug_layout(struct kmem_cache *cache, size_t size)
{
	size_t bytes = align_up(size + right_zone_bytes(cache), 8);

	cache->left_bytes = 0;
	if (cache->flags & CACHE_RED_ZONE)
		cache->left_bytes = (uint32_t)max_size(8, cache->align);
	cache->track_offset = (uint32_t)bytes;
	if (cache->flags & CACHE_STORE_USER)
		bytes += NR_TRACKS * sizeof(struct alloc_track);
	return cache->left_bytes + bytes;
}

static bool is_poisoned(const struct kmem_cache *cache)
{
	return (cache->flags & CACHE_POISON) && !cache->ctor;
}

static void set_zones(const struct kmem_cache *cache, char *object, int value)
{
	if (!(cache->flags & CACHE_RED_ZONE))
		return;
	memset(object - cache->left_bytes, value, cache->left_bytes);
	memset(object + cache->object_size, value, right_zone_bytes(cache));
}

static void set_poison(const struct kmem_cache *cache, unsigned char *object)
{
	if (!is_poisoned(cache))
		return;
	memset(object, POISON_FREE, cache->object_size - 1);
	object[cache->object_size - 1] = POISON_END;
}

static struct alloc_track *tracks_of(const struct kmem_cache *cache, const void *object)
{
	return (struct alloc_track *)((uintptr_t)object + cache->track_offset); // NOLINT
}

void cache_debug_init(const struct kmem_cache *cache, void *object)
{
	set_zones(cache, object, RED_INACTIVE);
	set_poison(cache, object);
	if (cache->flags & CACHE_STORE_USER)
		memset(tracks_of(cache, object), 0, NR_TRACKS * sizeof(struct alloc_track));
}

struct alloc_track cache_debug_track(const struct kmem_cache *cache, const void *object,
				     unsigned int which)
{
	if (!(cache->flags & CACHE_STORE_USER))
		return (struct alloc_track){ 0 };
	return tracks_of(cache, object)[which];
}

void cache_fault_set(struct cache_fault *fault, const struct kmem_cache *cache, const char *what,
		     const void *object)
{
	*fault = (struct cache_fault){ .cache = cache, .what = what, .object = object };
}

/* All bytes are what is expected. */
static bool check_bytes(const struct kmem_cache *cache, const char *what, const void *object,
			const unsigned char *bytes, size_t nr, unsigned char expected,
			struct cache_fault *fault)
{
	const unsigned char *first = NULL, *last = NULL;

	for (size_t i = 0; i < nr; i++) {
		if (bytes[i] == expected)
			continue;
		first = first ? first : &bytes[i];
		last = &bytes[i];
	}
	if (!first)
		return true;
	cache_fault_set(fault, cache, what, object);
	fault->at = first;
	fault->last = last;
	fault->found = *first;
	fault->expected = expected;
	for (unsigned int i = 0; i < NR_TRACKS; i++)
		fault->tracks[i] = cache_debug_track(cache, object, i);
	return false;
}

static bool check_zones(const struct kmem_cache *cache, const unsigned char *object,
			unsigned char value, struct cache_fault *fault)
{
	if (!(cache->flags & CACHE_RED_ZONE))
		return true;
	return check_bytes(cache, "left red zone overwritten of", object,
			   object - cache->left_bytes, cache->left_bytes, value, fault) &&
	       check_bytes(cache, "right red zone overwritten of", object,
			   object + cache->object_size, right_zone_bytes(cache), value, fault);
}

static bool check_poison(const struct kmem_cache *cache, const unsigned char *object,
			 struct cache_fault *fault)
{
	const char *what = "poison overwritten of";

	if (!is_poisoned(cache))
		return true;
	return check_bytes(cache, what, object, object, cache->object_size - 1, POISON_FREE,
			   fault) &&
	       check_bytes(cache, what, object, object + cache->object_size - 1, 1, POISON_END,
			   fault);
}

bool cache_debug_alloc(const struct kmem_cache *cache, void *object,
		       const struct alloc_track *track, struct cache_fault *fault)
{
	if (!check_zones(cache, object, RED_INACTIVE, fault) ||
	    !check_poison(cache, object, fault))
		return false;
	set_zones(cache, object, RED_ACTIVE);
	if (cache->flags & CACHE_STORE_USER)
		tracks_of(cache, object)[TRACK_ALLOC] = *track;
	return true;
}

bool cache_debug_free(const struct kmem_cache *cache, void *object,
		      const struct alloc_track *track, struct cache_fault *fault)
{
	if (!check_zones(cache, object, RED_ACTIVE, fault))
		return false;
	set_zones(cache, object, RED_INACTIVE);
	set_poison(cache, object);
	if (cache->flags & CACHE_STORE_USER)
		tracks_of(cache, object)[TRACK_FREE] = *track;
	return true;
}
