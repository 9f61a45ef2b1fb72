/* owner.c - see owner.h. */
#include "kmalloc/owner.h"

#include "base/bitmap.h"
#include "core/misuse.h"
#include "mm/section.h"
#include "slab/size_class.h"

static enum owner_kind kind_of_entry(uint32_t entry, const void *address)
{
	if (pagemap_is_slab(entry))
		return OWNER_SLAB;
	if (!entry || !is_aligned((uintptr_t)address, PAGE_SIZE))
		return OWNER_WRONG;
	return entry == PAGEMAP_RUN ? OWNER_RUN : OWNER_AREA;
}

struct owner owner_of(const void *address)
{
	size_t pfn = virt_to_pfn(address);
	struct owner owner = { .kind = OWNER_FOREIGN };

	if (pfn >= mm_map.nr_pages)
		return owner;
	owner.entry = pagemap_read(pfn);
	if (!owner.entry && !pfn_is_reserved(pfn))
		return owner;
	owner.kind = kind_of_entry(owner.entry, address);
	owner.page = pfn_to_page(pfn);
	return owner;
}

size_t owner_bytes(const struct owner *owner)
{
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

__slow void owner_report_wrong(const char *operation, const void *address)
{
	size_t pfn = virt_to_pfn(address), head;

	if (!pfn_is_reserved(pfn))
		misuse_report(operation, "invalid pointer", address, "no part of the heap");
	else if (!pfn_is_open(pfn))
		misuse_report(operation, "invalid pointer", address, "heap that was never used");
	else if (covering_head(pfn, &head))
		misuse_report(operation, "invalid pointer, inside an object:", address,
			      kind_name(pagemap_read(head)));
	else
		misuse_report(operation, "double free or invalid pointer", address, "free pages");
}
