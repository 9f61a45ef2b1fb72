/* kmem_cache.c - see kmem_cache.h: which caches there are, and the geometry of their slabs. */
#include "slab/kmem_cache.h"

#include <string.h>

#include "base/format.h"
#include "base/glob.h"
#include "core/lock.h"
#include "core/memblock.h"
#include "core/memcheck.h"
#include "core/params.h"
#include "slab/cache_slab.h"

struct kmem_caches kmem_caches; /* nothing of it is touched before the first cache */

#define MIN_ALIGN 8u
/* So that no slab of one page has more than SLAB_MAX_OBJECTS. */
#define MIN_STRIDE (PAGE_SIZE / SLAB_MAX_OBJECTS)

/* Of include/stitch/slab.h: all that are known, but those that are refused. */
#define VALID_FLAGS \
	(CACHE_DEBUG_FLAGS | CACHE_HWCACHE_ALIGN | CACHE_NO_MERGE | \
	 0x20000u /* RECLAIM_ACCOUNT */ | 0x40000u /* PANIC */ | 0x4000000u /* ACCOUNT */)

bool kmem_cache_args_are_valid(const struct kmem_cache_args *args)
{
	return args->name && args->size > 0 && args->size <= CACHE_MAX_BYTES &&
	       !(args->flags & ~VALID_FLAGS) &&
	       (!args->align || (is_power_of_two(args->align) && args->align <= PAGE_SIZE));
}

/* --- slub_debug= ----------------------------------------------------------------------------- */

static uint32_t flag_of(char letter)
{
	switch (letter | 0x20) {
	case 'f':
		return CACHE_CONSISTENCY;
	case 'z':
		return CACHE_RED_ZONE;
	case 'p':
		return CACHE_POISON;
	case 'u':
		return CACHE_STORE_USER;
	default:
		return 0;
	}
}

uint32_t kmem_cache_debug_flags(const char *name, uint32_t flags)
{
	const char *at = params.slub_debug;
	uint32_t added = 0;

	for (; *at && *at != ':'; at++)
		added |= flag_of(*at);
	return !*at || glob_match_any(at + 1, name) ? flags | added : flags;
}

/* --- geometry -------------------------------------------------------------------------------- */

/* mm/slub.c, calculate_alignment(). */
static size_t alignment_of(const struct kmem_cache_args *args)
{
	size_t align = max_size(args->align, MIN_ALIGN), line = CACHE_LINE;

	if (!(args->flags & CACHE_HWCACHE_ALIGN))
		return align;
	while (args->size <= line / 2)
		line /= 2;
	return max_size(align, line);
}

static unsigned int order_of(size_t bytes)
{
	return bytes <= PAGE_SIZE ? 0 : ilog2(bytes - 1) + 1 - PAGE_SHIFT;
}

/* mm/slub.c, calculate_order(): slub_max_order; 4 * (fls(nr_cpus) + 1) for two or three. */
#define MAX_ORDER_BY_WASTE 3u
#define MIN_OBJECTS 12u
#define LEAST_WASTE 16u

static unsigned int slab_order(size_t stride)
{
	size_t max_objects = (PAGE_SIZE << MAX_ORDER_BY_WASTE) / stride;
	unsigned int first = order_of(min_size(MIN_OBJECTS, max_objects) * stride);

	if (!max_objects)
		return order_of(stride);
	for (unsigned int share = LEAST_WASTE; share > 1; share /= 2)
		for (unsigned int order = first; order <= MAX_ORDER_BY_WASTE; order++)
			if ((PAGE_SIZE << order) % stride <= (PAGE_SIZE << order) / share)
				return order;
	return order_of(stride);
}

/* mm/slab.c, enable_cpucache(). */
static uint32_t sheaf_limit_of(const struct kmem_cache *cache)
{
	if (params_joint.no_hits || (cache->flags & CACHE_DEBUG_FLAGS))
		return 0;
	if (cache->stride > 131072)
		return 1;
	if (cache->stride > 4096)
		return 8;
	if (cache->stride > 1024)
		return 24;
	return cache->stride > 256 ? 54 : CACHE_SHEAF_MAX;
}

static uint32_t inverse_of(uint32_t odd)
{
	uint32_t inverse = odd; /* right in 3 bits; each step doubles them */

	for (unsigned int i = 0; i < 4; i++)
		inverse *= 2 - odd * inverse;
	return inverse;
}

/*
 * A record of an allocation wants the byte behind the object to be nobody's (debug/leak_track.h):
 * a pointer there must not hold the next one.
 */
static size_t padded_size(const struct kmem_cache *cache)
{
	return cache->object_size + (size_t)(CONFIG_LEAKS && params.leaks == LEAKS_FULL);
}

static void set_stride(struct kmem_cache *cache)
{
	size_t bytes = cache_debug_layout(cache, padded_size(cache));

	if (align_up(bytes, cache->align) > CACHE_MAX_BYTES) {
		/* No buddy block has room for more than the object. */
		cache->flags &= ~CACHE_DEBUG_FLAGS;
		bytes = cache_debug_layout(cache, cache->object_size);
	}
	cache->stride = (uint32_t)align_up(max_size(bytes, MIN_STRIDE), cache->align);
}

static void set_geometry(struct kmem_cache *cache)
{
	set_stride(cache);
	cache->even_shift = (uint32_t)__builtin_ctz(cache->stride);
	cache->odd_inverse = inverse_of(cache->stride >> cache->even_shift);
	cache->order = (uint8_t)slab_order(cache->stride);
	cache->nr_objects = (uint16_t)min_size((PAGE_SIZE << cache->order) / cache->stride,
					       SLAB_MAX_OBJECTS);
	cache->sheaf_limit = sheaf_limit_of(cache);
	cache->usable_size = cache->object_size;
}

/* --- aliases --------------------------------------------------------------------------------- */

static bool may_merge(const struct kmem_cache *cache)
{
	return !CONFIG_VALGRIND && !cache->ctor && !params_joint.no_merging &&
	       !(cache->flags & (CACHE_DEBUG_FLAGS | CACHE_NO_MERGE));
}

/* Objects of malloc are aligned to what divides their size, as the stride is divided. */
static unsigned int class_like(const struct kmem_cache *cache)
{
	unsigned int class;

	if (cache->stride > SIZE_CLASS_MAX_BYTES)
		return NR_SIZE_CLASSES;
	class = (unsigned int)size_class_of(cache->stride);
	return size_classes[class].size == cache->stride ? class : NR_SIZE_CLASSES;
}

static struct kmem_cache *find_like_locked(const struct kmem_cache *cache)
{
	for (uint32_t id = 1; id <= kmem_caches.last_id; id++) {
		struct kmem_cache *other = kmem_caches.table[id];

		if (other && other->nr_refs && may_merge(other) &&
		    other->stride == cache->stride && other->align >= cache->align)
			return other;
	}
	return NULL;
}

/* False: it is to have slabs of its own. */
static bool merge_locked(struct kmem_cache *cache)
{
	if (!may_merge(cache))
		return false;
	cache->class = class_like(cache);
	if (cache->class < NR_SIZE_CLASSES) {
		cache->target = NULL;
		return true;
	}
	cache->target = find_like_locked(cache);
	if (!cache->target)
		return false;
	cache->target->nr_refs++;
	WRITE_ONCE(cache->target->usable_size,
		   (uint32_t)max_size(cache->target->usable_size, cache->object_size));
	return true;
}

/* --- caches come and go ---------------------------------------------------------------------- */

static struct kmem_cache *new_structure_locked(void)
{
	struct kmem_cache *cache = kmem_caches.free;

	if (!cache)
		return memblock_alloc(sizeof(*cache));
	kmem_caches.free = cache->next_free;
	memset(cache, 0, sizeof(*cache));
	return cache;
}

static void free_structure_locked(struct kmem_cache *cache)
{
	cache->next_free = kmem_caches.free;
	kmem_caches.free = cache;
}

/* False: there are too many. */
static bool enter_locked(struct kmem_cache *cache)
{
	uint32_t id = 1;

	if (kmem_caches.nr_live < kmem_caches.last_id)
		while (kmem_caches.table[id])
			id++; /* somebody has left a gap */
	else
		id = kmem_caches.last_id + 1;
	if (id == MAX_KMEM_CACHES)
		return false;
	cache->id = (uint16_t)id;
	cache->entry = PAGEMAP_OF_CACHE(id);
	WRITE_ONCE(kmem_caches.table[id], cache);
	if (id > kmem_caches.last_id)
		WRITE_ONCE(kmem_caches.last_id, id);
	kmem_caches.nr_live++;
	return true;
}

static void set_up(struct kmem_cache *cache, const struct kmem_cache_args *args)
{
	format_text(cache->name, sizeof(cache->name), "%s", args->name);
	cache->object_size = (uint32_t)args->size;
	cache->align = (uint32_t)alignment_of(args);
	cache->flags = args->flags;
	cache->ctor = args->ctor;
	cache->class = NR_SIZE_CLASSES;
	cache->target = cache;
	cache->nr_refs = 1;
	for (unsigned int nid = 0; nid < MAX_NODES; nid++)
		INIT_LIST_HEAD(&cache->partial[nid]);
	INIT_LIST_HEAD(&cache->full);
	set_geometry(cache);
}

static struct kmem_cache *new_locked(const struct kmem_cache_args *args)
{
	struct kmem_cache *cache = new_structure_locked();

	if (!cache)
		return NULL;
	set_up(cache, args);
	if (merge_locked(cache))
		return cache;
	cache->target = cache;
	if (enter_locked(cache))
		return cache;
	free_structure_locked(cache);
	return NULL;
}

struct kmem_cache *kmem_cache_new(const struct kmem_cache_args *args)
{
	struct kmem_cache *cache;

	lock_acquire(LOCK_CACHES);
	cache = new_locked(args);
	lock_release(LOCK_CACHES);
	return cache;
}

static void release_locked(struct kmem_cache *cache)
{
	WRITE_ONCE(kmem_caches.table[cache->id], NULL);
	kmem_caches.nr_live--;
	for (unsigned int i = 0; i < NR_CACHE_SHEAVES; i++) {
		struct cache_sheaf *sheaf = cache->sheaf[i];

		if (!sheaf)
			continue;
		sheaf->objects[0] = kmem_caches.free_sheaves;
		kmem_caches.free_sheaves = sheaf;
	}
	free_structure_locked(cache);
}

/* The last handle has gone. */
static bool end(struct kmem_cache *cache, struct slot *slot)
{
	size_t nr_left;

	WRITE_ONCE(cache->sheaf_limit, 0);
	nr_left = cache_slab_shrink(cache, slot);
	lock_acquire(LOCK_CACHES);
	if (nr_left)
		cache->dying = true;
	else
		release_locked(cache);
	lock_release(LOCK_CACHES);
	return !nr_left;
}

bool kmem_cache_put(struct kmem_cache *cache, struct slot *slot)
{
	struct kmem_cache *target = cache->target;
	bool is_last;

	lock_acquire(LOCK_CACHES);
	if (target != cache)
		free_structure_locked(cache);
	is_last = target && !--target->nr_refs;
	lock_release(LOCK_CACHES);
	return !is_last || end(target, slot);
}

void kmem_caches_after_fork(void)
{
	uintptr_t me = (uintptr_t)__builtin_thread_pointer();

	for (uint32_t id = 1; id <= kmem_caches.last_id; id++) {
		struct kmem_cache *cache = kmem_caches.table[id];

		for (unsigned int i = 0; cache && i < NR_CACHE_SHEAVES; i++)
			if (cache->sheaf[i] && cache->sheaf[i]->held_by != me)
				cache->sheaf[i]->held_by = 0;
	}
}

/* --- questions ------------------------------------------------------------------------------- */

static void stat_read_locked(struct kmem_cache *cache, struct kmem_cache_stat *stat)
{
	size_t nr_sheaved;

	cache_collect_fresh_locked(cache);
	/* Hits go on meanwhile. */
	nr_sheaved = min_size(cache_sheaved_locked(cache), cache->nr_taken);
	*stat = (struct kmem_cache_stat){
		.active_objs = cache->nr_taken - nr_sheaved,
		.sheaved_objs = nr_sheaved,
		.num_objs = cache->nr_slabs * cache->nr_objects,
		.active_slabs = cache->nr_slabs - cache->nr_empty,
		.num_slabs = cache->nr_slabs,
		.object_size = cache->object_size,
		.stride = cache->stride,
		.objs_per_slab = cache->nr_objects,
		.pages_per_slab = 1u << cache->order,
	};
	memcpy(stat->name, cache->name, sizeof(stat->name));
}

void kmem_cache_stat_read(struct kmem_cache *cache, struct kmem_cache_stat *stat)
{
	lock_acquire(LOCK_CACHES);
	stat_read_locked(cache, stat);
	lock_release(LOCK_CACHES);
}

bool kmem_cache_stat_by_id(uint32_t id, struct kmem_cache_stat *stat)
{
	struct kmem_cache *cache;

	lock_acquire(LOCK_CACHES);
	cache = kmem_caches.table[id];
	if (cache)
		stat_read_locked(cache, stat);
	lock_release(LOCK_CACHES);
	return cache;
}

static unsigned int count_free(const struct page *head)
{
	unsigned int nr_free = 0;

	for (unsigned int w = 0; w < SLAB_BITMAP_WORDS; w++)
		nr_free += popcount64(head->bitmap[w]);
	return nr_free;
}

static bool validate_slab(const struct kmem_cache *cache, const struct page *head)
{
	size_t pfn = page_to_pfn(head);

	for (unsigned int i = head->nr_objects; i < SLAB_MAX_OBJECTS; i++)
		if (cache_bit(head, i))
			return false;
	for (size_t i = 0; i < (size_t)1 << cache->order; i++)
		if (pagemap_read(pfn + i) != cache->entry || head[i].slab_index != i ||
		    head[i].order != cache->order)
			return false;
	return head->kind == PAGE_CACHE && head->slab_owner == cache->entry &&
	       head->nr_objects == cache->nr_objects &&
	       head->until_event == head->nr_objects - count_free(head);
}

struct census {
	size_t nr_slabs, nr_empty, nr_taken;
};

static bool validate_list(const struct kmem_cache *cache, const struct list_head *list,
			  struct census *census)
{
	const struct page *head;

	list_for_each_entry(head, list, list) {
		if (!validate_slab(cache, head) ||
		    (head->until_event == head->nr_objects) != (list == &cache->full))
			return false;
		census->nr_slabs++;
		census->nr_empty += !head->until_event;
		census->nr_taken += head->until_event;
	}
	return true;
}

static bool validate_partial(const struct kmem_cache *cache, struct census *census)
{
	const struct page *head;

	for (unsigned int nid = 0; nid < MAX_NODES; nid++) {
		if (!validate_list(cache, &cache->partial[nid], census))
			return false;
		list_for_each_entry(head, &cache->partial[nid], list)
			if (page_to_nid(head) != nid)
				return false;
	}
	return true;
}

static bool validate_sheaf(const struct kmem_cache *cache, const struct cache_sheaf *sheaf)
{
	for (uint32_t i = 0; i < sheaf->nr; i++)
		if (pagemap_read(virt_to_pfn(sheaf->objects[i])) != cache->entry ||
		    !cache_object_is_taken(cache, sheaf->objects[i]))
			return false;
	return sheaf->nr <= CACHE_SHEAF_MAX;
}

static bool validate_cache(struct kmem_cache *cache)
{
	struct census census = { 0 };

	cache_collect_fresh_locked(cache);
	for (unsigned int i = 0; i < NR_CACHE_SHEAVES; i++)
		if (cache->sheaf[i] && !validate_sheaf(cache, cache->sheaf[i]))
			return false;
	return validate_partial(cache, &census) &&
	       validate_list(cache, &cache->full, &census) &&
	       census.nr_slabs == cache->nr_slabs && census.nr_empty == cache->nr_empty &&
	       census.nr_taken == cache->nr_taken;
}

bool validate_caches(void)
{
	bool valid = true;
	uint32_t nr_live = 0;

	lock_acquire(LOCK_CACHES);
	for (uint32_t id = 1; valid && id <= kmem_caches.last_id; id++) {
		struct kmem_cache *cache = kmem_caches.table[id];

		nr_live += cache != NULL;
		valid = !cache || (cache->id == id && validate_cache(cache));
	}
	valid = valid && nr_live == kmem_caches.nr_live;
	lock_release(LOCK_CACHES);
	return valid;
}
