/*
 * kernel_highmem.c - the public functions of include/stitch/highmem.h, and vmap of vmalloc.h.
 *
 * L10. Pages of the heap are given their address where one is asked for, and refused where one
 * cannot be mapped again.
 */
#include <errno.h>

#include "core/misuse.h"
#include "entry.h"
#include "kmalloc/high_pages.h"
#include "kmalloc/owner.h"
#include "kmalloc/vmap.h"
#include "stitch/highmem.h"
#include "stitch/vmalloc.h"

_Static_assert(STITCH_KMAP_PAGES == HIGHMEM_WINDOW_PAGES, "the window");

static struct high_page *high(const struct stitch_page *page)
{
	return highmem_owns(page) ? (struct high_page *)(uintptr_t)page : NULL; // NOLINT
}

static void *failed(int error)
{
	errno = error;
	return NULL;
}

/* --- kmap ------------------------------------------------------------------------------------- */

__visible int stitch_page_is_high(const struct stitch_page *page)
{
	return high(page) != NULL;
}

static void *map_high(struct high_page *page)
{
	bool had_slot = mm_thread_has_slot();
	void *address = high_pages_kmap(page);

	thread_settle(had_slot);
	if (address)
		return address;
	return failed(page->state == HIGH_FREE ? EINVAL : ENOMEM);
}

__visible void *stitch_kmap(struct stitch_page *page)
{
	struct high_page *high_page = high(page);
	void *address;

	if (high_page)
		return map_high(high_page);
	address = stitch_page_address(page);
	return address ? address : failed(EINVAL);
}

static void unmap_high(struct high_page *page, const char *operation)
{
	bool had_slot = mm_thread_has_slot();

	high_pages_kunmap(page, operation);
	thread_settle(had_slot);
}

__visible void stitch_kunmap(struct stitch_page *page)
{
	struct high_page *high_page = high(page);

	if (high_page)
		unmap_high(high_page, "kunmap()");
}

__visible void *stitch_kmap_local_page(struct stitch_page *page)
{
	return stitch_kmap(page);
}

__visible void stitch_kunmap_local(const void *address)
{
	struct high_page *page = highmem_kmap_page(address);

	if (page)
		unmap_high(page, "kunmap_local()");
}

/* --- vmap ------------------------------------------------------------------------------------- */

static bool all_are_high(struct stitch_page **pages, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (!high(pages[i]))
			return false;
	return count;
}

__visible void *stitch_vmap(struct stitch_page **pages, unsigned int count, unsigned long flags,
			    unsigned int prot)
{
	bool had_slot = mm_thread_has_slot();
	void *address;

	if ((flags & ~STITCH_VM_MAP) ||
	    (prot != STITCH_PAGE_KERNEL && prot != STITCH_PAGE_KERNEL_RO) ||
	    !all_are_high(pages, count))
		return failed(EINVAL);
	address = vmap_pages((struct high_page *const *)pages, count, prot == STITCH_PAGE_KERNEL);
	thread_settle(had_slot);
	return address ? address : failed(ENOMEM);
}

__visible void stitch_vunmap(const void *address)
{
	bool had_slot = mm_thread_has_slot();

	if (!address || !heap_ready())
		return;
	if (!vmap_end(address))
		misuse_report("vunmap()", "no area begins at", address, "vmap");
	thread_settle(had_slot);
}

static bool is_area(const void *address)
{
	enum owner_kind kind = owner_of(address).kind;

	return kind == OWNER_AREA || kind == OWNER_MAPPING;
}

__visible int stitch_is_vmalloc_addr(const void *address)
{
	bool had_slot = mm_thread_has_slot();
	bool is_one;

	if (!heap_ready())
		return 0;
	is_one = is_area(address) || vmap_page_at(address);
	thread_settle(had_slot);
	return is_one;
}

__visible struct stitch_page *stitch_vmalloc_to_page(const void *address)
{
	bool had_slot = mm_thread_has_slot();
	struct high_page *page;

	if (!heap_ready())
		return NULL;
	page = vmap_page_at(address);
	thread_settle(had_slot);
	return page ? (struct stitch_page *)page : stitch_virt_to_page(address);
}
