/* kmalloc.c - see kmalloc.h: allocating and freeing. */
#include "kmalloc/kmalloc.h"

#include <string.h>

#include "core/hooks.h"
#include "core/params.h"
#include "kmalloc/cache_objects.h"
#include "kmalloc/clear.h"
#include "kmalloc/deferred.h"
#include "kmalloc/gate.h"
#include "kmalloc/owner.h"
#include "mm/decay.h"
#include "mm/emergency.h"
#include "mm/lowmem.h"
#include "mm/node.h"
#include "mm/page_alloc.h"
#include "mm/pagerun.h"
#include "mm/reserve.h"
#include "slab/remote.h"
#include "slab/sheaf.h"
#include "vmalloc/gather.h"
#include "vmalloc/mapping.h"
#include "vmalloc/stitch.h"
#include "vmalloc/vmap_area.h"

/* Of emergency memory, where all other memory is counted. */
#define EMERGENCY_LIMITED_BYTES MIB(1)

/* At the end of a slow path. */
static __slow void decay_visit(void)
{
	kmalloc_decay();
	if (slot_is_held())
		sheaves_close_in_time(current_slot);
}

void kmalloc_decay(void)
{
	decay_step();
	mapping_drop(params.decay_ms);
}

static inline void come_by(void)
{
	if (unlikely(decay_is_due()))
		decay_visit();
}

/* Of who has allocated. */
static inline void leave(gate_pass *pass)
{
	gate_leave(pass);
	if (unlikely(zone_is_outgrown()))
		kmalloc_drain_others();
}

static void *kmalloc_small(unsigned int class)
{
	struct slot *slot = slot_enter();
	void *object = sheaf_alloc_slow(slot, class);

	slot_leave(slot);
	return object;
}

/* align: a power of two, at least a page. bytes are at most KMALLOC_MAX_BYTES. */
static struct page *kmalloc_pages(size_t bytes, size_t align)
{
	size_t nr_pages = div_round_up(max_size(bytes, 1), PAGE_SIZE);

	struct page *page;

	if (nr_pages > RUN_MAX_PAGES || align > RUN_MAX_PAGES * PAGE_SIZE)
		return area_alloc(nr_pages, align);
	page = run_alloc(nr_pages, align / PAGE_SIZE);
	if (page && nr_pages >= STITCH_MIN_PAGES)
		stitch_fill(page_to_pfn(page), nr_pages, 0, 0);
	return page;
}

/* From the thread's own stock. Not zero. */
static struct page *kmalloc_stocked(size_t bytes, size_t align)
{
	size_t nr_pages = div_round_up(bytes, PAGE_SIZE);
	struct page *page;
	struct slot *slot;

	if (nr_pages > PCP_MAX_RUN_PAGES && !slot_is_held())
		return NULL;
	slot = slot_enter();
	page = pcp_run_alloc_aligned(&slot->pcp, nr_pages, align / PAGE_SIZE);
	slot_leave(slot);
	return page;
}

static struct page *stocked_or_pages(size_t bytes, size_t align)
{
	struct page *page = kmalloc_stocked(bytes, align);

	return page ? page : kmalloc_pages(bytes, align);
}

static bool kfree_stocked(struct page *page)
{
	return slot_is_held() && pcp_run_free(&current_slot->pcp, page);
}

static void *address_or_null(const struct page *page)
{
	return page ? page_address(page) : NULL;
}

/*
 * Memory is at an end: what is kept for other sizes may do, and what another thread is about to
 * free. Not what threads keep for areas, which come from whole units: it is less than one, and to
 * ask for too much is no emergency.
 */
static __slow void make_room(size_t bytes)
{
	unsigned int full = mem_cgroup_full(bytes);

	gate_settle();
	if (full) { /* others have no part in it */
		kmalloc_drain_memcg(full);
		return;
	}
	slot_want_pages();
	mapping_drop_all();
	if (bytes <= RUN_MAX_PAGES * PAGE_SIZE || zone_is_limited()) {
		kmalloc_drain();
		return;
	}
	run_drain();
	buddy_drain();
}

/* What the heap does without, or has given away. NULL: nothing of the kind. */
static void *kmalloc_outside(size_t nr_pages)
{
	void *object;

	if (nr_pages < GATHER_MIN_PAGES || active_memcg) /* in the heap it is charged */
		return NULL;
	object = mapping_reuse(nr_pages);
	return object ? object : gather_alloc(nr_pages);
}

static void *kmalloc_inside(size_t bytes)
{
	void *object;

	if (bytes <= SIZE_CLASS_MAX_BYTES)
		return kmalloc_small((unsigned int)size_class_of(bytes));
	object = kmalloc_outside(div_round_up(bytes, PAGE_SIZE));
	if (object)
		return object;
	return address_or_null(stocked_or_pages(bytes, PAGE_SIZE));
}

/* class: NR_SIZE_CLASSES for what is none's, or shall have pages of its own. */
static void *object_inside(unsigned int class, size_t align, size_t bytes)
{
	if (class < NR_SIZE_CLASSES)
		return kmalloc_small(class);
	if (align <= KMALLOC_MIN_ALIGN)
		return kmalloc_inside(bytes);
	return address_or_null(stocked_or_pages(max_size(bytes, 1), max_size(align, PAGE_SIZE)));
}

/* It does not count against limit=, so that there is little of it then. */
static void *limited_emergency_alloc(size_t bytes, size_t align)
{
	if (zone_is_limited() && emergency_live() + bytes > EMERGENCY_LIMITED_BYTES)
		return NULL;
	return emergency_alloc(bytes, align);
}

/*
 * As object_inside while another thread forks or trims, or in a signal handler. Nobody waits for a
 * fork, but when all emergency memory is used up.
 */
static __slow void *kmalloc_refused(unsigned int class, size_t align, size_t bytes)
{
	gate_pass *pass = gate_enter_soon();
	void *object = pass ? NULL : limited_emergency_alloc(bytes, align);

	if (!pass && !object)
		pass = gate_enter_patiently();
	if (!pass)
		return object;
	object = object_inside(class, align, bytes);
	if (unlikely(!object)) {
		make_room(max_size(bytes, align));
		object = object_inside(class, align, bytes);
	}
	gate_leave(pass);
	return object;
}

void *kmalloc_slow(size_t bytes)
{
	gate_pass *pass;
	void *object = NULL;

	if (bytes <= SIZE_CLASS_MAX_BYTES)
		object = sheaf_alloc_closed(size_class_of(bytes));
	if (object || bytes > KMALLOC_MAX_BYTES)
		return object;
	pass = gate_enter();
	if (unlikely(!pass))
		return kmalloc_refused(NR_SIZE_CLASSES, KMALLOC_MIN_ALIGN, bytes);
	object = kmalloc_inside(bytes);
	if (unlikely(!object)) {
		make_room(bytes);
		object = kmalloc_inside(bytes);
	}
	come_by();
	leave(pass);
	return object;
}

void *kmalloc_pages_of_own(size_t bytes)
{
	gate_pass *pass = gate_enter();
	struct page *page;

	if (unlikely(!pass))
		return kmalloc_refused(NR_SIZE_CLASSES, PAGE_SIZE, bytes);
	page = stocked_or_pages(max_size(bytes, 1), PAGE_SIZE);
	if (unlikely(!page)) {
		make_room(bytes);
		page = kmalloc_pages(bytes, PAGE_SIZE);
	}
	come_by();
	leave(pass);
	return address_or_null(page);
}

void *kmalloc(size_t bytes)
{
	void *object = sheaf_alloc(bytes);

	return likely(object) ? object : kmalloc_slow(bytes);
}

static void *zeroed(void *object, size_t bytes)
{
	return object ? memset(object, 0, bytes) : NULL;
}

void *kzalloc(size_t bytes)
{
	struct page *stocked, *page = NULL;
	gate_pass *pass;

	if (bytes <= SIZE_CLASS_MAX_BYTES)
		return zeroed(kmalloc(bytes), bytes);
	if (bytes > KMALLOC_MAX_BYTES)
		return NULL;
	pass = gate_enter();
	if (unlikely(!pass))
		return zeroed(kmalloc_refused(NR_SIZE_CLASSES, KMALLOC_MIN_ALIGN, bytes), bytes);
	stocked = kmalloc_stocked(bytes, PAGE_SIZE);
	if (!stocked)
		page = kmalloc_pages(bytes, PAGE_SIZE);
	if (unlikely(!stocked && !page)) {
		make_room(bytes);
		page = kmalloc_pages(bytes, PAGE_SIZE);
	}
	come_by();
	leave(pass);
	if (stocked)
		clear_stocked(stocked, bytes);
	else if (page)
		clear_touched(page, bytes);
	return address_or_null(stocked ? stocked : page);
}

static bool is_of_node(const void *object, unsigned int nid)
{
	return page_to_nid(pfn_to_page(virt_to_pfn(object))) == nid;
}

static void *node_inside(unsigned int class, unsigned int nid, bool strict)
{
	struct slot *slot = slot_enter_node(nid);
	uint8_t before = active_node;
	void *object;

	if (strict)
		active_node = before | NODE_STRICT;
	object = sheaf_alloc_slow(slot, class);
	active_node = before;
	slot_leave(slot);
	return object;
}

__slow void *kmalloc_node(size_t bytes, size_t align, unsigned int nid, bool strict)
{
	unsigned int class = size_class_of_aligned(align, bytes);
	gate_pass *pass;
	void *object;

	if (class == NR_SIZE_CLASSES)
		return NULL;
	pass = gate_enter_patiently();
	if (!pass)
		return NULL;
	object = node_inside(class, nid, strict);
	if (strict && object && !is_of_node(object, nid)) { /* of a slab from when it had none */
		kfree_inside(object);
		object = NULL;
	}
	come_by();
	leave(pass);
	return object;
}

void *kmalloc_aligned(size_t align, size_t bytes)
{
	unsigned int class = NR_SIZE_CLASSES;
	gate_pass *pass;
	void *object;

	if (bytes > KMALLOC_MAX_BYTES)
		return NULL;
	if (bytes <= SIZE_CLASS_MAX_BYTES && align <= PAGE_SIZE)
		class = size_class_of_aligned(align, bytes);
	object = class < NR_SIZE_CLASSES ? sheaf_pop(current_slot, class) : NULL;
	if (object)
		return object;
	pass = gate_enter();
	if (unlikely(!pass))
		return kmalloc_refused(class, max_size(align, KMALLOC_MIN_ALIGN), bytes);
	object = object_inside(class, align, bytes);
	if (unlikely(!object)) {
		make_room(max_size(bytes, align));
		object = object_inside(class, align, bytes);
	}
	come_by();
	leave(pass);
	return object;
}

/* --- free ------------------------------------------------------------------------------------ */

static void kfree_small(struct slot *slot, uint32_t entry, void *object)
{
	uint32_t class = entry ^ slot->tag;

	if (class < NR_SIZE_CLASSES)
		sheaf_free_slow(slot, class, object);
	else
		remote_free(slot, entry, object);
}

/* One lock is for all shared slots: hardened mode meets slabs of other groups at once, too. */
static __slow void kfree_small_entering(uint32_t entry, void *object)
{
	struct slot *slot = slot_enter_to_free();
	struct slot *owner = slot_by_id(pagemap_slot(entry));
	bool both_shared = slot->state == SLOT_SHARED && owner && owner->state == SLOT_SHARED;

	kfree_small(both_shared ? owner : slot, entry, object);
	slot_leave(slot);
}

static void kfree_foreign(void *object)
{
	if (foreign_ops.free)
		foreign_ops.free(object);
	else
		owner_report_wrong("free()", object);
}

/* False when there are no pages in use (any more). */
static bool kfree_pages(const struct owner *owner, void *object)
{
	switch (owner->kind) {
	case OWNER_RUN:
		return kfree_stocked(owner->page) || run_free(owner->page);
	case OWNER_AREA:
		return area_free(owner->page);
	case OWNER_MAPPING:
		return mapping_free(object);
	default:
		return false;
	}
}

/* Wherever the caller is: without the gate. */
static void kfree_reserved(void *object)
{
	if (!reserve_free(object))
		owner_report_wrong("free()", object);
}

/*
 * Not by the fast path: signal handlers that interrupt it in a slow path would be as bad as those
 * that interrupt free.
 */
void kfree_inside(void *object)
{
	uint32_t entry = pagemap_of(object);
	struct owner owner;

	if (likely(pagemap_is_slab(entry))) {
		if (likely(slot_is_held()))
			kfree_small(current_slot, entry, object);
		else
			kfree_small_entering(entry, object);
		return;
	}
	if (pagemap_is_cache(entry)) {
		cache_object_kfree_inside(object);
		return;
	}
	if (entry == PAGEMAP_RESERVE) {
		kfree_reserved(object);
		return;
	}
	owner = owner_of(object);
	if (!kfree_pages(&owner, object))
		owner_report_wrong("free()", object);
}

/* Everything that the heap proper has. */
static void kfree_entering(void *object)
{
	gate_pass *pass = gate_enter();

	if (unlikely(!pass)) {
		deferred_free(object);
		return;
	}
	kfree_inside(object);
	come_by();
	gate_leave(pass);
}

/* Of no slab, run or area. */
static __slow void kfree_other(void *object)
{
	struct owner owner = owner_of(object);

	if (!object)
		return;
	if (owner.kind == OWNER_FOREIGN)
		kfree_foreign(object);
	else if (owner.kind == OWNER_MAPPING)
		kfree_entering(object);
	else if (!(owner.kind == OWNER_EMERGENCY && emergency_free(object)) &&
		 !(owner.kind == OWNER_LOWMEM && lowmem_free(object)))
		owner_report_wrong("free()", object);
}

/* Where no gate is needed. False: nothing happened. */
static bool kfree_outside(struct slot *slot, uint32_t entry, void *object)
{
	uint32_t class = entry ^ slot->tag;

	if (class < NR_SIZE_CLASSES)
		return sheaf_free_closed(slot, class, object);
	return remote_free_gathered(slot, entry, object);
}

void kfree_slow(void *object)
{
	uint32_t entry = pagemap_of(object);

	if (unlikely(!entry))
		kfree_other(object);
	else if (unlikely(pagemap_is_cache(entry)))
		cache_object_kfree(object);
	else if (unlikely(entry == PAGEMAP_RESERVE))
		kfree_reserved(object);
	else if (!pagemap_is_slab(entry) || !slot_is_held() ||
		 !kfree_outside(current_slot, entry, object))
		kfree_entering(object);
}

void kfree(void *object)
{
	if (!sheaf_free(object))
		kfree_slow(object);
}
