/* cache_objects.c - see cache_objects.h. */
#include "kmalloc/cache_objects.h"

#include "base/format.h"
#include "core/hooks.h"
#include "core/misuse.h"
#include "core/printk.h"
#include "kmalloc/deferred.h"
#include "kmalloc/gate.h"
#include "kmalloc/gfp.h"
#include "kmalloc/kmalloc.h"
#include "kmalloc/owner.h"
#include "mm/decay.h"
#include "mm/emergency.h"
#include "mm/node.h"
#include "mm/reserve.h"

#define ALLOC_TEXT "kmem_cache_alloc()"
#define FREE_TEXT "kmem_cache_free()"
/* Objects that the end of a cache lists. */
#define MAX_LISTED 64u

static struct alloc_track track_of(const struct kmem_cache *cache)
{
	if (!(cache->flags & CACHE_STORE_USER) || !track_ops.take)
		return (struct alloc_track){ 0 };
	return track_ops.take();
}

static inline void come_by(void)
{
	if (unlikely(decay_is_due()))
		kmalloc_decay();
}

/* --- allocating ------------------------------------------------------------------------------ */

static void *constructed(const struct kmem_cache *cache, void *object)
{
	struct program_state state = { 0 };

	if (!object || !cache->ctor)
		return object;
	program_begin(&state);
	cache->ctor(object);
	program_end(&state);
	return object;
}

static size_t own_align(const struct kmem_cache *cache)
{
	return max_size(cache->align, KMALLOC_MIN_ALIGN);
}

static __slow void *alloc_reserved(const struct kmem_cache *cache, stitch_gfp_t flags)
{
	return constructed(cache,
			   gfp_alloc_reserved(cache->object_size, own_align(cache), flags));
}

/* What a request may be about besides the cache. */
struct request {
	uint8_t mark; /* as active_node; NO_NODE: of the thread's */
	struct alloc_track track;
};

static struct slot *enter_for(const struct request *request)
{
	unsigned int mark = request->mark & ~NODE_STRICT;

	return likely(mark == NO_NODE) ? slot_enter() : slot_enter_node(mark - 1);
}

static void *alloc_inside(struct kmem_cache *cache, const struct request *request,
			  struct page **unbuilt, struct cache_fault *fault)
{
	struct slot *slot = enter_for(request);
	uint8_t before = active_node;
	void *object;

	active_node |= request->mark & NODE_STRICT;
	object = cache_slab_alloc(cache, slot, &request->track, unbuilt, fault);
	active_node = before;
	slot_leave(slot);
	return object;
}

/* The thread is inside, and leaves. */
static void *alloc_and_leave(struct kmem_cache *cache, gate_pass *pass,
			     const struct request *request)
{
	struct cache_fault fault = { 0 };
	struct page *unbuilt;
	void *object = alloc_inside(cache, request, &unbuilt, &fault);

	come_by();
	gate_leave(pass);
	if (unlikely(zone_is_outgrown()))
		kmalloc_drain_others();
	if (unlikely(fault.what != NULL))
		cache_fault_report(ALLOC_TEXT, &fault);
	return unbuilt ? cache_slab_build(cache, unbuilt, &request->track) : object;
}

/* As kmalloc_refused. */
static __slow void *alloc_refused(struct kmem_cache *cache, const struct request *request)
{
	gate_pass *pass = gate_enter_soon();
	void *object = pass ? NULL : emergency_alloc(cache->usable_size, own_align(cache));

	if (object)
		return constructed(cache, object);
	if (!pass)
		pass = gate_enter_patiently();
	return pass ? alloc_and_leave(cache, pass, request) : NULL;
}

static void *alloc_entering(struct kmem_cache *cache)
{
	struct request request = { NO_NODE, track_of(cache) };
	gate_pass *pass;

	if (unlikely(cache->dying))
		return NULL;
	pass = gate_enter();
	return likely(pass != NULL) ? alloc_and_leave(cache, pass, &request) :
				      alloc_refused(cache, &request);
}

/* kmalloc alone would not keep the alignment while it is refused. */
static void *alloc_of_class(const struct kmem_cache *cache)
{
	size_t bytes = size_classes[cache->class].size;

	return cache->align > KMALLOC_MIN_ALIGN ? kmalloc_aligned(cache->align, bytes) :
						  kmalloc(bytes);
}

static void *alloc_once(struct kmem_cache *cache)
{
	void *object;

	if (!cache->target)
		return alloc_of_class(cache);
	object = cache_sheaf_pop(cache->target);
	return likely(object != NULL) ? object : alloc_entering(cache->target);
}

static __slow void *alloc_harder(struct kmem_cache *cache, stitch_gfp_t flags)
{
	unsigned int nr_tries = 0;
	void *object;

	if (cache->target && cache->target->dying)
		return NULL;
	do {
		object = alloc_reserved(cache, flags);
		if (!object && nr_tries)
			object = alloc_once(cache);
	} while (!object && gfp_try_harder(flags, cache->object_size, &nr_tries));
	return object;
}

void *cache_object_alloc(struct kmem_cache *cache, stitch_gfp_t flags)
{
	void *object;

	if (unlikely(gfp_is_refused(flags, GFP_ZONES)))
		return NULL;
	if (unlikely(!gfp_may_wait(flags)))
		return alloc_reserved(cache, flags);
	object = alloc_once(cache);
	return likely(object != NULL) ? object : alloc_harder(cache, flags);
}

static void *alloc_of_node(struct kmem_cache *cache, unsigned int nid, bool strict)
{
	uint8_t mark = node_mark(nid) | (strict ? NODE_STRICT : 0);
	struct request request = { mark, track_of(cache) };
	gate_pass *pass = cache->dying ? NULL : gate_enter_patiently();

	return pass ? alloc_and_leave(cache, pass, &request) : NULL;
}

void *cache_object_alloc_node(struct kmem_cache *cache, unsigned int nid, bool strict)
{
	if (!cache->target)
		return kmalloc_node(size_classes[cache->class].size, own_align(cache), nid, strict);
	return alloc_of_node(cache->target, nid, strict);
}

/* --- freeing --------------------------------------------------------------------------------- */

static void free_inside(struct kmem_cache *cache, void *object, const char *operation)
{
	struct alloc_track track = track_of(cache);
	struct cache_fault fault = { 0 };
	struct slot *slot = slot_enter_to_free();

	cache_slab_free(cache, slot, object, &track, &fault);
	slot_leave(slot);
	if (unlikely(fault.what != NULL))
		cache_fault_report(operation, &fault);
}

/* The object's page is the cache's. */
static void free_entering(struct kmem_cache *cache, void *object, const char *operation)
{
	gate_pass *pass = gate_enter();

	if (unlikely(!pass)) {
		deferred_free(object);
		return;
	}
	free_inside(cache, object, operation);
	come_by();
	gate_leave(pass);
}

void cache_object_kfree(void *object)
{
	struct kmem_cache *cache = kmem_cache_by_entry(pagemap_of(object));

	if (unlikely(!cache))
		owner_report_wrong("free()", object);
	else if (!cache_sheaf_push(cache, object))
		free_entering(cache, object, "free()");
}

void cache_object_kfree_inside(void *object)
{
	struct kmem_cache *cache = kmem_cache_by_entry(pagemap_of(object));

	if (unlikely(!cache))
		owner_report_wrong("free()", object);
	else
		free_inside(cache, object, "free()");
}

static __slow void report_other_cache(const struct kmem_cache *cache, const void *object,
				      const char *other)
{
	char where[2 * CACHE_NAME_BYTES + 16];

	format_text(where, sizeof(where), "%s, not %s", other, cache->name);
	misuse_report(FREE_TEXT, "object of another cache", object, where);
}

/* It may be in memory that is no cache's. */
static __slow void free_other(struct kmem_cache *cache, void *object)
{
	uint32_t entry = pagemap_of(object);
	struct owner owner = { .kind = OWNER_FOREIGN };
	char name[SIZE_CLASS_NAME_BYTES];

	if (entry == PAGEMAP_RESERVE && reserve_free(object))
		return;
	if (entry != PAGEMAP_RESERVE)
		owner = owner_of(object);
	if (owner.kind == OWNER_EMERGENCY && emergency_free(object))
		return;
	if (owner.kind == OWNER_CACHE) {
		report_other_cache(cache, object, kmem_cache_by_entry(entry)->name);
	} else if (owner.kind == OWNER_SLAB) {
		size_class_name(&size_classes[pagemap_class(entry)], name);
		report_other_cache(cache, object, name);
	} else {
		owner_report_wrong(FREE_TEXT, object);
	}
}

/* Of an alias of malloc's class. */
static void free_of_class(struct kmem_cache *cache, void *object)
{
	uint32_t entry = pagemap_of(object);

	if (likely(pagemap_is_slab(entry)) && likely(pagemap_class(entry) == cache->class))
		kfree(object);
	else
		free_other(cache, object);
}

void cache_object_free(struct kmem_cache *cache, void *object)
{
	struct kmem_cache *target = cache->target;

	if (!target)
		free_of_class(cache, object);
	else if (likely(cache_sheaf_push(target, object)))
		return;
	else if (pagemap_of(object) == target->entry)
		free_entering(target, object, FREE_TEXT);
	else
		free_other(cache, object);
}

/* --- caches ---------------------------------------------------------------------------------- */

struct kmem_cache *cache_create(struct kmem_cache_args *args)
{
	gate_pass *pass = gate_enter_patiently();
	struct kmem_cache *cache;

	if (!pass)
		return NULL;
	args->flags = kmem_cache_debug_flags(args->name, args->flags);
	cache = kmem_cache_new(args);
	gate_leave(pass);
	gfp_fill_reserve();
	return cache;
}

bool cache_shrink(struct kmem_cache *cache)
{
	gate_pass *pass = cache->target ? gate_enter_patiently() : NULL;
	struct slot *slot;
	size_t nr_left;

	if (!pass)
		return !cache->target;
	slot = slot_enter();
	nr_left = cache_slab_shrink(cache->target, slot);
	pcp_drain(&slot->pcp);
	slot_leave(slot);
	come_by();
	gate_leave(pass);
	return !nr_left;
}

void cache_objects_drain(void)
{
	struct slot *slot = slot_enter();

	cache_slabs_shrink_all(slot);
	slot_leave(slot);
}

struct survivors {
	unsigned int nr;
	const void *objects[MAX_LISTED];
};

static void note_survivor(void *context, const void *object)
{
	struct survivors *survivors = context;

	survivors->objects[survivors->nr++] = object;
}

/* A dying cache is never reused, so that it can be looked at outside the gate. */
static void list_survivors(const struct kmem_cache *cache, const struct survivors *survivors,
			   size_t nr)
{
	pr_err("kmem_cache_destroy(): %zu object%s of cache %s %s still alive", nr,
	       nr == 1 ? "" : "s", cache->name, nr == 1 ? "is" : "are");
	for (unsigned int i = 0; i < survivors->nr; i++) {
		const void *object = survivors->objects[i];
		struct alloc_track track = cache_debug_track(cache, object, TRACK_ALLOC);

		pr_err("Object %p (%u bytes)", object, cache->object_size);
		if (!track.tid && track_ops.look_up)
			track = track_ops.look_up(object);
		cache_print_track("Allocated", &track);
	}
	if (nr > survivors->nr)
		pr_err("... and %zu more", nr - survivors->nr);
}

void cache_destroy(struct kmem_cache *cache)
{
	struct survivors survivors = { 0 };
	gate_pass *pass = gate_enter_patiently();
	struct kmem_cache *target = cache->target;
	struct slot *slot;
	size_t nr = 0;

	if (!pass)
		return;
	gate_settle();
	slot = slot_enter();
	if (!kmem_cache_put(cache, slot))
		nr = cache_slab_visit_live(target, note_survivor, &survivors, MAX_LISTED);
	slot_leave(slot);
	come_by();
	gate_leave(pass);
	if (nr)
		list_survivors(target, &survivors, nr);
}
