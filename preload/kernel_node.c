/*
 * kernel_node.c - the public functions of include/stitch/mm.h and slab.h that are about nodes.
 *
 * L10. What the program has a pointer to is the struct page itself.
 */
#include <errno.h>
#include <string.h>

#include "debug/alloc_failure.h"
#include "debug/fault_inject.h"
#include "entry.h"
#include "kernel_node.h"
#include "kernel_track.h"
#include "kmalloc/gfp.h"
#include "kmalloc/kmalloc.h"
#include "kmalloc/pages.h"
#include "mm/memmap.h"
#include "mm/node.h"
#include "mm/section.h"
#include "slab/size_class.h"
#include "stitch/mm.h"
#include "stitch/slab.h"

__visible int stitch_numa_node_id(void)
{
	return heap_ready() ? (int)node_current() : 0;
}

__visible int stitch_page_to_nid(const struct stitch_page *page)
{
	size_t pfn = ((uintptr_t)page - (uintptr_t)mm_map.memmap) / sizeof(struct page);

	return pfn < mm_map.nr_pages && pfn_is_open(pfn) ? (int)page_to_nid(pfn_to_page(pfn)) : 0;
}

/* What all entries do after a request that may wait. */
static void *finish(void *address, const char *who, size_t bytes, stitch_gfp_t flags)
{
	if (unlikely(!address)) {
		errno = ENOMEM;
		if (gfp_may_wait(flags))
			alloc_failure_report(who, flags, stitch_get_order(bytes));
	} else if (gfp_may_wait(flags)) {
		background_consider();
		relief_consider(flags);
	}
	return address;
}

static void *pages_of_node(size_t nr_pages, size_t align_pages, stitch_gfp_t flags, int nid)
{
	bool had_slot = mm_thread_has_slot();
	void *address = pages_alloc_node(nr_pages, align_pages, flags, (unsigned int)nid);

	thread_settle(had_slot);
	return address;
}

__visible struct stitch_page *stitch_alloc_pages_node(int nid, stitch_gfp_t flags,
						      unsigned int order)
{
	size_t nr_pages = order <= MAX_PAGE_ORDER ? (size_t)1 << order : 0;
	void *address;

	if (node_is_refused(nid))
		return NULL;
	if (!is_for_node(nid, flags) || !nr_pages)
		return stitch_alloc_pages(flags, order);
	if (fault_inject("alloc_pages_node()", nr_pages * PAGE_SIZE, flags)) {
		errno = ENOMEM;
		return NULL;
	}
	address = finish(pages_of_node(nr_pages, nr_pages, flags, nid), "alloc_pages_node()",
			 nr_pages * PAGE_SIZE, flags);
	if (leak_has_stacks() && address)
		kernel_track(address, nr_pages * PAGE_SIZE, flags);
	return address ? stitch_virt_to_page(address) : NULL;
}

/* As from kmalloc, if that is of the node. */
static void *object_of_own(size_t bytes, stitch_gfp_t flags, int nid)
{
	void *object = stitch_kmalloc(bytes, flags);

	if (!object || stitch_page_to_nid(stitch_virt_to_page(object)) == nid)
		return object;
	stitch_kfree(object);
	errno = ENOMEM;
	return NULL;
}

/* malloc pads and clears objects for the leak check, where all else are pages of their own. */
static void *small_of_malloc(size_t bytes, stitch_gfp_t flags, int nid)
{
	int saved_errno = errno;
	unsigned int faults;
	void *object;

	if (bytes > SIZE_CLASS_MAX_BYTES)
		return NULL;
	faults = fault_inject_pause();
	object = object_of_own(bytes, flags, nid);
	fault_inject_resume(faults);
	errno = saved_errno;
	return object;
}

static void *object_of_any(size_t bytes, stitch_gfp_t flags, int nid)
{
	return flags & STITCH__GFP_THISNODE ? object_of_own(bytes, flags, nid) :
					      stitch_kmalloc(bytes, flags);
}

static void *object_of_node(size_t bytes, stitch_gfp_t flags, int nid)
{
	size_t natural = min_size(bytes & -bytes, PAGE_SIZE);
	bool strict = flags & STITCH__GFP_THISNODE, had_slot;
	void *object = NULL;

	if (bytes <= SIZE_CLASS_MAX_BYTES && !leak_has_stacks()) {
		had_slot = mm_thread_has_slot();
		object = kmalloc_node(bytes, natural, (unsigned int)nid, strict);
		thread_settle(had_slot);
		gfp_fill_reserve();
		if (object && (flags & STITCH__GFP_ZERO))
			memset(object, 0, stitch_ksize(object));
	}
	return object ? object : pages_of_node(div_round_up(bytes, PAGE_SIZE), 1, flags, nid);
}

__visible void *stitch_kmalloc_node(size_t bytes, stitch_gfp_t flags, int nid)
{
	void *object;

	if (node_is_refused(nid))
		return NULL;
	if (!is_for_node(nid, flags) || !bytes || bytes > STITCH_KMALLOC_MAX_SIZE)
		return stitch_kmalloc(bytes, flags);
	if (!gfp_may_wait(flags) || CONFIG_VALGRIND) /* malloc marks objects for Valgrind */
		return object_of_any(bytes, flags, nid);
	if (fault_inject("kmalloc_node()", bytes, flags)) {
		errno = ENOMEM;
		return NULL;
	}
	object = leak_has_stacks() ? small_of_malloc(bytes, flags, nid) : NULL;
	if (object)
		return object;
	object = finish(object_of_node(bytes, flags, nid), "kmalloc_node()", bytes, flags);
	if (leak_has_stacks() && object)
		kernel_track(object, bytes, flags);
	return object;
}
