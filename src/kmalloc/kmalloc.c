/* kmalloc.c - see kmalloc.h: allocating and freeing. */
#include "kmalloc/kmalloc.h"

#include <string.h>

#include "core/hooks.h"
#include "kmalloc/owner.h"
#include "mm/pagerun.h"
#include "mm/residency.h"
#include "slab/remote.h"
#include "slab/sheaf.h"
#include "vmalloc/vmap_area.h"

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

	if (nr_pages <= RUN_MAX_PAGES && align <= RUN_MAX_PAGES * PAGE_SIZE)
		return run_alloc(nr_pages, align / PAGE_SIZE);
	return area_alloc(nr_pages, align);
}

/* From the thread's own stock. Not zero, and no more than page-aligned. */
static struct page *kmalloc_stocked(size_t bytes)
{
	size_t nr_pages = div_round_up(bytes, PAGE_SIZE);
	struct page *page;
	struct slot *slot;

	if (nr_pages > PCP_MAX_RUN_PAGES)
		return NULL;
	slot = slot_enter();
	page = pcp_run_alloc(&slot->pcp, nr_pages);
	slot_leave(slot);
	return page;
}

static bool kfree_stocked(struct page *page)
{
	return slot_is_held() && pcp_run_free(&current_slot->pcp, page);
}

static void *address_or_null(const struct page *page)
{
	return page ? page_address(page) : NULL;
}

void *kmalloc_slow(size_t bytes)
{
	struct page *page;

	if (bytes <= SIZE_CLASS_MAX_BYTES)
		return kmalloc_small((unsigned int)size_class_of(bytes));
	if (bytes > KMALLOC_MAX_BYTES)
		return NULL;
	page = kmalloc_stocked(bytes);
	return address_or_null(page ? page : kmalloc_pages(bytes, PAGE_SIZE));
}

void *kmalloc(size_t bytes)
{
	void *object = sheaf_alloc(bytes);

	return likely(object) ? object : kmalloc_slow(bytes);
}

/* Clear what is not known to be zero of the first `bytes` bytes of pages just handed out. */
static void clear_touched(struct page *page, size_t bytes)
{
	size_t pfn = page_to_pfn(page), end = pfn + div_round_up(bytes, PAGE_SIZE), nr_pages;

	for (; pfn < end; pfn += nr_pages) {
		zone_lock();
		pfn = residency_find(pfn, end - pfn, true, &nr_pages);
		zone_unlock();
		if (nr_pages)
			memset(pfn_to_virt(pfn), 0, nr_pages * PAGE_SIZE);
	}
}

void *kzalloc(size_t bytes)
{
	struct page *page;
	void *object;

	if (bytes <= SIZE_CLASS_MAX_BYTES) {
		object = kmalloc(bytes);
		return object ? memset(object, 0, bytes) : NULL;
	}
	if (bytes > KMALLOC_MAX_BYTES)
		return NULL;
	page = kmalloc_stocked(bytes);
	if (page)
		return memset(page_address(page), 0, bytes);
	page = kmalloc_pages(bytes, PAGE_SIZE);
	if (page)
		clear_touched(page, bytes);
	return address_or_null(page);
}

/* The smallest class that holds bytes and keeps the alignment; NR_SIZE_CLASSES: none does. */
static unsigned int aligned_class(size_t align, size_t bytes)
{
	unsigned int class = (unsigned int)size_class_of(bytes);

	while (class < NR_SIZE_CLASSES && size_class_align(&size_classes[class]) < align)
		class++;
	return class;
}

void *kmalloc_aligned(size_t align, size_t bytes)
{
	unsigned int class = NR_SIZE_CLASSES;

	if (bytes > KMALLOC_MAX_BYTES)
		return NULL;
	if (bytes <= SIZE_CLASS_MAX_BYTES && align <= PAGE_SIZE)
		class = aligned_class(align, bytes);
	if (class < NR_SIZE_CLASSES)
		return kmalloc(size_classes[class].size);
	return address_or_null(kmalloc_pages(bytes, max_size(align, PAGE_SIZE)));
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

static __slow void kfree_small_entering(uint32_t entry, void *object)
{
	struct slot *slot = slot_enter_to_free();

	kfree_small(slot, entry, object);
	slot_leave(slot);
}

static void kfree_foreign(void *object)
{
	if (foreign_ops.free)
		foreign_ops.free(object);
	else
		owner_report_wrong("free()", object);
}

/* False when the pages were not in use (any more). */
static bool kfree_pages(const struct owner *owner)
{
	if (owner->kind == OWNER_AREA)
		return area_free(owner->page);
	return kfree_stocked(owner->page) || run_free(owner->page);
}

/* Everything but slab objects. */
static void kfree_large(void *object)
{
	struct owner owner = owner_of(object);

	if (!object)
		return;
	if (owner.kind == OWNER_FOREIGN)
		kfree_foreign(object);
	else if (owner.kind == OWNER_WRONG || !kfree_pages(&owner))
		owner_report_wrong("free()", object);
}

void kfree_slow(void *object)
{
	size_t pfn = virt_to_pfn(object);
	uint32_t entry = pfn < mm_map.nr_pages ? pagemap_read(pfn) : 0;

	if (unlikely(!pagemap_is_slab(entry)))
		kfree_large(object);
	else if (likely(slot_is_held()))
		kfree_small(current_slot, entry, object);
	else
		kfree_small_entering(entry, object);
}

void kfree(void *object)
{
	if (!sheaf_free(object))
		kfree_slow(object);
}
