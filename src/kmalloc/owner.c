/* owner.c - see owner.h. */
#include "kmalloc/owner.h"

#include "base/bitmap.h"
#include "core/misuse.h"
#include "mm/emergency.h"
#include "mm/lowmem.h"
#include "mm/reserve.h"
#include "mm/section.h"
#include "slab/kmem_cache.h"
#include "slab/sheaf.h"
#include "slab/slab.h"
#include "vmalloc/mapping.h"

/* vm.mmap_min_addr: nothing is mapped below, but what a null pointer and an offset make. */
#define FIRST_ADDRESS KIB(64)
/* The rest is the kernel's, or what it maps only for who asks for just that address. */
#define END_OF_ADDRESSES ((uintptr_t)1 << 47)

static enum slab_place place_of(const struct owner *owner, const void *address)
{
	if (sheaf_top_is(owner->entry, address))
		return SLAB_FREE;
	return slab_place_of(owner->page, pagemap_class(owner->entry), address);
}

/* The cache of a page of one; NULL: it was destroyed just now. */
static struct kmem_cache *cache_of(const struct owner *owner)
{
	return pagemap_is_cache(owner->entry) ? kmem_cache_by_entry(owner->entry) : NULL;
}

static enum owner_kind kind_of(const struct owner *owner, const void *address)
{
	uint32_t entry = owner->entry;

	if (pagemap_is_slab(entry))
		return place_of(owner, address) == SLAB_TAKEN ? OWNER_SLAB : OWNER_WRONG;
	if (pagemap_is_cache(entry))
		return cache_of(owner) && cache_object_is_taken(cache_of(owner), address) ?
			       OWNER_CACHE :
			       OWNER_WRONG;
	if (entry == PAGEMAP_RESERVE)
		return owner->bytes ? OWNER_RESERVE : OWNER_WRONG;
	if (!entry || !is_aligned((uintptr_t)address, PAGE_SIZE))
		return OWNER_WRONG;
	return entry == PAGEMAP_RUN ? OWNER_RUN : OWNER_AREA;
}

static struct owner emergency_owner(const void *address)
{
	size_t bytes = emergency_size(address);

	return (struct owner){ .kind = bytes ? OWNER_EMERGENCY : OWNER_WRONG, .bytes = bytes };
}

static struct owner lowmem_owner(const void *address)
{
	size_t bytes = lowmem_size(address);

	return (struct owner){ .kind = bytes ? OWNER_LOWMEM : OWNER_WRONG, .bytes = bytes };
}

/* Outside the window's sections: OWNER_FOREIGN when it is in nothing of ours. */
static struct owner outside_owner(const void *address)
{
	struct owner owner = { .kind = OWNER_FOREIGN };
	enum mapping_place place;

	if (emergency_contains(address))
		return emergency_owner(address);
	if (lowmem_contains(address))
		return lowmem_owner(address);
	place = mapping_look_up(address, &owner.bytes);
	if (place != MAPPING_NONE)
		owner.kind = place == MAPPING_BLOCK ? OWNER_MAPPING : OWNER_WRONG;
	return owner;
}

/* Where not even another allocator has anything; NULL when it may have. */
static const char *nobodys_place(const void *address)
{
	if ((uintptr_t)address < FIRST_ADDRESS)
		return "near NULL";
	if ((uintptr_t)address >= END_OF_ADDRESSES)
		return "no address of a program";
	if ((uintptr_t)address >= mm_map.reserve && (uintptr_t)address < mm_map.base)
		return "the allocator's own memory";
	return NULL;
}

struct owner owner_of(const void *address)
{
	size_t pfn = virt_to_pfn(address);
	bool is_inside = pfn < mm_map.nr_pages;
	struct owner owner = { .kind = OWNER_FOREIGN, .entry = is_inside ? pagemap_read(pfn) : 0 };

	/* Between sections there may be anything, also of ours. */
	if (!owner.entry && !(is_inside && pfn_is_reserved(pfn))) {
		owner = outside_owner(address);
		if (owner.kind == OWNER_FOREIGN && nobodys_place(address))
			owner.kind = OWNER_WRONG;
		return owner;
	}
	owner.page = pfn_to_page(pfn);
	owner.bytes = owner.entry == PAGEMAP_RESERVE ? reserve_size(address) : 0;
	owner.kind = kind_of(&owner, address);
	return owner;
}

size_t owner_bytes(const struct owner *owner)
{
	if (owner->bytes)
		return owner->bytes;
	if (owner->kind == OWNER_SLAB)
		return size_classes[pagemap_class(owner->entry)].size;
	if (owner->kind == OWNER_CACHE)
		return READ_ONCE(kmem_cache_by_entry(owner->entry)->usable_size);
	return READ_ONCE(owner->page->nr_pages) * PAGE_SIZE;
}

/* The head of the run or area that covers the page; false when the page is free. */
static bool covering_head(size_t pfn, size_t *head)
{
	size_t first = pfn;

	/* An area may be as long as the heap; heads are where the page map has an entry. */
	while (first > 0 && pfn_is_open(first) && !pagemap_read(first))
		first--;
	*head = first;
	return pfn_is_open(first) &&
	       (pagemap_read(first) == PAGEMAP_RUN || pagemap_read(first) == PAGEMAP_AREA) &&
	       pfn < first + READ_ONCE(pfn_to_page(first)->nr_pages);
}

static const char *kind_name(uint32_t entry)
{
	return entry == PAGEMAP_RUN ? "page run" : "area";
}

static void report_in_slab(const char *operation, const struct owner *owner, const void *address)
{
	const char *what = SLAB_INSIDE_TEXT;
	char name[SIZE_CLASS_NAME_BYTES];

	if (place_of(owner, address) != SLAB_INSIDE)
		what = "freed object";
	size_class_name(&size_classes[pagemap_class(owner->entry)], name);
	misuse_report(operation, what, address, name);
}

static void report_in_cache(const char *operation, const struct owner *owner, const void *address)
{
	const struct kmem_cache *cache = cache_of(owner);
	const struct page *head = cache_slab_head(owner->page);
	const char *what = SLAB_INSIDE_TEXT;

	if (cache && cache_index(cache, head, address) < head->nr_objects)
		what = "freed object";
	misuse_report(operation, what, address, cache ? cache->name : "no cache any more");
}

/* In what is not the heap's pages: an address inside an object, or in none. */
static void report_object(const char *operation, const void *address, bool is_inside,
			  const char *place)
{
	misuse_report(operation, is_inside ? SLAB_INSIDE_TEXT : "double free or invalid pointer",
		      address, place);
}

static void report_in_reserve(const char *operation, const void *address)
{
	uintptr_t start;
	size_t bytes;

	report_object(operation, address, reserve_object_at((uintptr_t)address, &start, &bytes),
		      "reserve");
}

static void report_in_lowmem(const char *operation, const void *address)
{
	uintptr_t start;
	size_t bytes;

	report_object(operation, address, lowmem_object_at((uintptr_t)address, &start, &bytes),
		      "zone DMA or DMA32");
}

static void report_outside(const char *operation, const void *address)
{
	const char *place = nobodys_place(address);
	size_t bytes;

	switch (mapping_look_up(address, &bytes)) {
	case MAPPING_FREED:
		misuse_report(operation, "double free or invalid pointer", address, "area");
		break;
	case MAPPING_INSIDE:
		misuse_report(operation, SLAB_INSIDE_TEXT, address, "area");
		break;
	default:
		misuse_report(operation, "invalid pointer", address,
			      place ? place : "no part of the heap");
	}
}

__slow void owner_report_wrong(const char *operation, const void *address)
{
	size_t pfn = virt_to_pfn(address), head;
	struct owner owner = owner_of(address);

	if (emergency_contains(address))
		misuse_report(operation, "double free or invalid pointer", address,
			      "emergency memory");
	else if (lowmem_contains(address))
		report_in_lowmem(operation, address);
	else if (owner.entry == PAGEMAP_RESERVE)
		report_in_reserve(operation, address);
	else if (!pfn_is_reserved(pfn))
		report_outside(operation, address);
	else if (!pfn_is_open(pfn))
		misuse_report(operation, "invalid pointer", address, "heap that was never used");
	else if (pagemap_is_slab(owner.entry))
		report_in_slab(operation, &owner, address);
	else if (pagemap_is_cache(owner.entry))
		report_in_cache(operation, &owner, address);
	else if (covering_head(pfn, &head))
		misuse_report(operation, SLAB_INSIDE_TEXT, address, kind_name(pagemap_read(head)));
	else
		misuse_report(operation, "double free or invalid pointer", address, "free pages");
}
