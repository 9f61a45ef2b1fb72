/* owner.c - see owner.h. */
#include "kmalloc/owner.h"

#include "base/bitmap.h"
#include "core/misuse.h"
#include "mm/emergency.h"
#include "mm/section.h"
#include "slab/size_class.h"
#include "slab/slab.h"

static enum owner_kind kind_of_entry(uint32_t entry, const void *address)
{
	if (pagemap_is_slab(entry))
		return OWNER_SLAB;
	if (!entry || !is_aligned((uintptr_t)address, PAGE_SIZE))
		return OWNER_WRONG;
	return entry == PAGEMAP_RUN ? OWNER_RUN : OWNER_AREA;
}

static struct owner emergency_owner(const void *address)
{
	size_t bytes = emergency_size(address);

	return (struct owner){ .kind = bytes ? OWNER_EMERGENCY : OWNER_WRONG, .bytes = bytes };
}

struct owner owner_of(const void *address)
{
	size_t pfn = virt_to_pfn(address);
	struct owner owner = { .kind = OWNER_FOREIGN };

	if (pfn >= mm_map.nr_pages)
		return emergency_contains(address) ? emergency_owner(address) : owner;
	owner.entry = pagemap_read(pfn);
	if (!owner.entry && !pfn_is_reserved(pfn))
		return owner;
	owner.kind = kind_of_entry(owner.entry, address);
	owner.page = pfn_to_page(pfn);
	return owner;
}

bool owner_starts_object(const struct owner *owner, const void *address)
{
	const struct page *head;

	if (owner->kind == OWNER_FOREIGN || owner->kind == OWNER_WRONG)
		return false;
	if (owner->kind != OWNER_SLAB)
		return true;
	head = slab_head(owner->page);
	return size_class_divide(&size_classes[pagemap_class(owner->entry)],
				 (uint32_t)((const char *)address - slab_first_object(head))) <
	       head->nr_objects;
}

size_t owner_bytes(const struct owner *owner)
{
	if (owner->kind == OWNER_EMERGENCY)
		return owner->bytes;
	if (owner->kind == OWNER_SLAB)
		return size_classes[pagemap_class(owner->entry)].size;
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
	return pfn_is_open(first) && (pagemap_read(first) & PAGEMAP_KIND) &&
	       pfn < first + READ_ONCE(pfn_to_page(first)->nr_pages);
}

static const char *kind_name(uint32_t entry)
{
	return entry == PAGEMAP_RUN ? "page run" : "area";
}

static void report_inside_object(const char *operation, const void *address, uint32_t entry)
{
	char name[SIZE_CLASS_NAME_BYTES];

	size_class_name(&size_classes[pagemap_class(entry)], name);
	misuse_report(operation, "invalid pointer, inside an object:", address, name);
}

__slow void owner_report_wrong(const char *operation, const void *address)
{
	size_t pfn = virt_to_pfn(address), head;

	if (emergency_contains(address))
		misuse_report(operation, "double free or invalid pointer", address,
			      "emergency memory");
	else if (pfn_is_reserved(pfn) && pfn_is_open(pfn) && pagemap_is_slab(pagemap_read(pfn)))
		report_inside_object(operation, address, pagemap_read(pfn));
	else if (!pfn_is_reserved(pfn))
		misuse_report(operation, "invalid pointer", address, "no part of the heap");
	else if (!pfn_is_open(pfn))
		misuse_report(operation, "invalid pointer", address, "heap that was never used");
	else if (covering_head(pfn, &head))
		misuse_report(operation, "invalid pointer, inside an object:", address,
			      kind_name(pagemap_read(head)));
	else
		misuse_report(operation, "double free or invalid pointer", address, "free pages");
}
