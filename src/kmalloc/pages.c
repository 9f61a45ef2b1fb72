/* pages.c - see pages.h. */
#include "kmalloc/pages.h"

#include <string.h>

#include "core/misuse.h"
#include "kmalloc/clear.h"
#include "kmalloc/deferred.h"
#include "kmalloc/gate.h"
#include "kmalloc/gfp.h"
#include "kmalloc/kmalloc.h"
#include "kmalloc/owner.h"
#include "kmalloc/zonelist.h"
#include "mm/decay.h"
#include "mm/lowmem.h"
#include "mm/node.h"
#include "mm/pagerun.h"
#include "mm/section.h"
#include "vmalloc/mapping.h"
#include "vmalloc/stitch.h"
#include "vmalloc/vmap_area.h"

struct request {
	size_t nr_pages, align_pages;
	stitch_gfp_t flags;
	bool stocked; /* the answer is from the slot's stock: nothing is known of its zeroes */
	uint8_t mark; /* as active_node; NO_NODE: any, the thread's first */
};

/* --- allocation ------------------------------------------------------------------------------ */

static void *from_reserve(const struct request *request)
{
	size_t bytes = request->nr_pages * PAGE_SIZE;
	void *address = gfp_alloc_reserved(bytes, request->align_pages * PAGE_SIZE,
					   request->flags);

	if (address && request->flags & STITCH__GFP_ZERO)
		memset(address, 0, bytes);
	return address;
}

static struct page *from_stock(const struct request *request)
{
	struct page *page;
	struct slot *slot;

	if (request->flags & STITCH__GFP_COLD ||
	    (request->nr_pages > PCP_MAX_RUN_PAGES && !slot_is_held()))
		return NULL;
	slot = slot_enter();
	page = pcp_run_alloc_aligned(&slot->pcp, request->nr_pages, request->align_pages);
	slot_leave(slot);
	return page;
}

static struct page *from_zone(const struct request *request)
{
	struct page *page;

	slot_want_pages();
	if (request->nr_pages > RUN_MAX_PAGES || request->align_pages > RUN_MAX_PAGES)
		return area_alloc(request->nr_pages, request->align_pages * PAGE_SIZE);
	page = run_alloc(request->nr_pages, request->align_pages);
	if (page && request->nr_pages >= STITCH_MIN_PAGES)
		stitch_fill(page_to_pfn(page), request->nr_pages, 0, 0);
	return page;
}

static unsigned int nid_of(const struct request *request)
{
	return (request->mark & ~NODE_STRICT) - 1;
}

/* Inside the gate signal handlers take nothing of the zone: the mark is for this request only. */
static __slow struct page *from_node(const struct request *request)
{
	uint8_t before = active_node;
	struct page *page;

	active_node = request->mark;
	page = from_zone(request);
	active_node = before;
	return page;
}

/* The slot's stock is of its own node. */
static struct page *take(struct request *request)
{
	bool is_any = likely(request->mark == NO_NODE);
	struct page *page = NULL;

	if (is_any || (slot_is_held() && current_slot->nid == nid_of(request)))
		page = from_stock(request);
	request->stocked = page;
	if (page)
		return page;
	return is_any ? from_zone(request) : from_node(request);
}

/* What is kept for other sizes may do, and what another thread is about to free. */
static __slow struct page *take_after_all(struct request *request)
{
	if (request->flags & STITCH__GFP_NORETRY)
		return NULL;
	gate_settle();
	mapping_drop_all();
	kmalloc_drain();
	return take(request);
}

static struct page *take_inside(struct request *request)
{
	struct page *page = take(request);

	if (unlikely(!page))
		page = take_after_all(request);
	if (unlikely(decay_is_due()))
		kmalloc_decay();
	return page;
}

/* Other memory would have no struct page; so the gate is waited for, a second at most. */
static __slow gate_pass *enter_at_last(void)
{
	gate_pass *pass = gate_enter_soon();

	return pass ? pass : gate_enter_patiently();
}

static void clear(struct page *page, const struct request *request)
{
	size_t bytes = request->nr_pages * PAGE_SIZE;

	if (request->stocked)
		clear_stocked(page, bytes);
	else
		clear_touched(page, bytes);
}

static void *alloc_once(struct request *request)
{
	gate_pass *pass = gate_enter();
	struct page *page;

	if (unlikely(!pass))
		pass = enter_at_last();
	if (!pass)
		return NULL;
	page = take_inside(request);
	gate_leave(pass);
	if (unlikely(zone_is_outgrown()))
		kmalloc_drain_others();
	if (page && request->flags & STITCH__GFP_ZERO)
		clear(page, request);
	return page ? page_address(page) : NULL;
}

/* The heap has nothing. */
static __slow void *from_elsewhere(const struct request *request)
{
	size_t bytes = request->nr_pages * PAGE_SIZE, align = request->align_pages * PAGE_SIZE;
	void *address;

	if (request->mark & NODE_STRICT)
		return NULL;
	address = zonelist_fall_back(bytes, align, request->flags);
	return address ? address : from_reserve(request);
}

/* Who may not wait has what the reserve has. */
static void *from_reserve_of_node(const struct request *request)
{
	void *address = from_reserve(request);

	if (!address || !(request->mark & NODE_STRICT) ||
	    page_to_nid(pfn_to_page(virt_to_pfn(address))) == nid_of(request))
		return address;
	reserve_free(address);
	return NULL;
}

static void *alloc_marked(size_t nr_pages, size_t align_pages, stitch_gfp_t flags, uint8_t mark)
{
	struct request request = { nr_pages, align_pages, flags, false, mark };
	size_t bytes = max_size(nr_pages, align_pages) * PAGE_SIZE;
	unsigned int nr_tries = 0;
	void *address;

	if (nr_pages > KMALLOC_MAX_BYTES / PAGE_SIZE ||
	    gfp_is_refused(flags, STITCH__GFP_HIGHMEM))
		return NULL;
	if (flags & GFP_LOWMEM)
		return zonelist_alloc(nr_pages * PAGE_SIZE, align_pages * PAGE_SIZE, flags);
	if (!gfp_may_wait(flags))
		return from_reserve_of_node(&request);
	do {
		address = alloc_once(&request);
		if (unlikely(!address))
			address = from_elsewhere(&request);
	} while (unlikely(!address) && gfp_try_harder(flags, bytes, &nr_tries));
	gfp_fill_reserve();
	return address;
}

/* A signal handler may have come amid a request for another node. */
static unsigned int own_node(void)
{
	return slot_is_held() ? current_slot->nid : node_wanted();
}

/* Who may not wait does not ask the kernel for it. */
static bool has_node(stitch_gfp_t flags)
{
	return slot_is_held() || gfp_may_wait(flags);
}

void *pages_alloc(size_t nr_pages, size_t align_pages, stitch_gfp_t flags)
{
	if (unlikely(flags & STITCH__GFP_THISNODE) && zone.nr_nodes > 1 && has_node(flags))
		return pages_alloc_node(nr_pages, align_pages, flags, own_node());
	return alloc_marked(nr_pages, align_pages, flags, NO_NODE);
}

void *pages_alloc_node(size_t nr_pages, size_t align_pages, stitch_gfp_t flags, unsigned int nid)
{
	uint8_t strict = flags & STITCH__GFP_THISNODE ? NODE_STRICT : 0;

	return alloc_marked(nr_pages, align_pages, flags, node_mark(nid) | strict);
}

/* --- free ------------------------------------------------------------------------------------ */

static __slow void report_length(const char *operation, const void *address)
{
	misuse_report(operation, "wrong number of pages for", address, "pages");
}

/* The pages that start there, and none that do otherwise. */
static bool is_freeable(const struct owner *owner, const void *address, size_t nr_pages,
			const char *operation)
{
	if (owner->kind == OWNER_WRONG || owner->kind == OWNER_FOREIGN)
		owner_report_wrong(operation, address);
	else if (owner->kind != OWNER_RUN && owner->kind != OWNER_AREA)
		misuse_report(operation, "no pages but", address, "an object");
	else if (READ_ONCE(owner->page->nr_pages) != nr_pages)
		report_length(operation, address);
	else
		return true;
	return false;
}

static void free_reserved(void *address, size_t nr_pages, const char *operation)
{
	size_t bytes = reserve_size(address);

	if (bytes && bytes != nr_pages * PAGE_SIZE)
		report_length(operation, address);
	else if (!reserve_free(address))
		misuse_report(operation, "double free or invalid pointer", address, "reserve");
}

static bool free_inside(const struct owner *owner, bool hot)
{
	if (owner->kind == OWNER_AREA)
		return area_free(owner->page);
	return (hot && slot_is_held() && pcp_run_free(&current_slot->pcp, owner->page)) ||
	       run_free(owner->page);
}

static void free_pages_entering(const struct owner *owner, void *address, bool hot,
				const char *operation)
{
	gate_pass *pass = gate_enter();
	bool done;

	if (unlikely(!pass)) {
		deferred_free(address);
		return;
	}
	done = free_inside(owner, hot);
	if (unlikely(decay_is_due()))
		kmalloc_decay();
	gate_leave(pass);
	if (!done)
		owner_report_wrong(operation, address);
}

static void free_lowmem(void *address, size_t nr_pages, const char *operation)
{
	size_t bytes = lowmem_size(address);

	if (bytes && bytes != nr_pages * PAGE_SIZE)
		report_length(operation, address);
	else if (!lowmem_free(address))
		owner_report_wrong(operation, address);
}

static void free_any(void *address, size_t nr_pages, bool hot, const char *operation)
{
	struct owner owner;

	if (pagemap_of(address) == PAGEMAP_RESERVE) {
		free_reserved(address, nr_pages, operation);
		return;
	}
	owner = owner_of(address);
	if (owner.kind == OWNER_LOWMEM)
		free_lowmem(address, nr_pages, operation);
	else if (is_freeable(&owner, address, nr_pages, operation))
		free_pages_entering(&owner, address, hot, operation);
}

void pages_free(void *address, size_t nr_pages, const char *operation)
{
	free_any(address, nr_pages, true, operation);
}

void pages_free_cold(void *address, size_t nr_pages, const char *operation)
{
	free_any(address, nr_pages, false, operation);
}

/* --- counts ---------------------------------------------------------------------------------- */

void pages_count(struct pages_count *count)
{
	gate_pass *pass = gate_enter_patiently();
	size_t nr_used = 0;

	*count = (struct pages_count){ 0 };
	if (!pass)
		return;
	zone_lock();
	for (unsigned int use = 0; use < NR_PAGE_USES; use++)
		nr_used += zone.nr_used[use];
	zone_unlock();
	count->nr_reserved = sections_reserved() / PAGE_SIZE;
	count->nr_free = count->nr_reserved - nr_used;
	gate_leave(pass);
}
