/*
 * memmap.h - pfns, addresses, struct pages, page map entries, and how one leads to another.
 *
 * L3. No locks. All of it is arithmetic on mm_map; arguments must lie in the opened heap, except
 * for virt_to_pfn, which takes any address.
 */
#ifndef MM_MEMMAP_H
#define MM_MEMMAP_H

#include "mm/mm_types.h"

/* The pfn of any address; >= mm_map.nr_pages when it is not in the window. */
static inline size_t virt_to_pfn(const void *address)
{
	return ((uintptr_t)address - mm_map.base) >> PAGE_SHIFT;
}

static inline void *pfn_to_virt(size_t pfn)
{
	/* Addresses of the heap are made here from numbers. */
	return (void *)(mm_map.base + (pfn << PAGE_SHIFT)); // NOLINT
}

static inline struct page *pfn_to_page(size_t pfn)
{
	return &mm_map.memmap[pfn];
}

static inline size_t page_to_pfn(const struct page *page)
{
	return (size_t)(page - mm_map.memmap);
}

static inline void *page_address(const struct page *page)
{
	return pfn_to_virt(page_to_pfn(page));
}

static inline struct pageblock *pfn_to_pageblock(size_t pfn)
{
	return &mm_map.pageblocks[-1 - (ptrdiff_t)(pfn >> PAGEBLOCK_ORDER)];
}

/* First pfn of a pageblock. */
static inline size_t pageblock_to_pfn(const struct pageblock *block)
{
	return (size_t)(mm_map.pageblocks - block - 1) << PAGEBLOCK_ORDER;
}

/*
 * The page map's entry of a page of the window; 0 for a page that was never opened is the
 * caller's business (memmap_is_open).
 */
static inline uint32_t pagemap_read(size_t pfn)
{
	return READ_ONCE(mm_map.pagemap[pfn]);
}

/* The entry of any address's page; 0: it is not in the window. */
static inline uint32_t pagemap_of(const void *address)
{
	size_t pfn = virt_to_pfn(address);

	return pfn < mm_map.nr_pages ? pagemap_read(pfn) : 0;
}

static inline void pagemap_write(size_t pfn, uint32_t entry)
{
	WRITE_ONCE(mm_map.pagemap[pfn], entry);
}

static inline void pagemap_fill(size_t pfn, size_t nr_pages, uint32_t entry)
{
	for (size_t i = 0; i < nr_pages; i++)
		pagemap_write(pfn + i, entry);
}

/*
 * Take an entry away: of several threads that free one run, one succeeds. False, and nothing
 * happens, when the entry is another.
 */
static inline bool pagemap_claim(size_t pfn, uint32_t entry)
{
	return __atomic_compare_exchange_n(&mm_map.pagemap[pfn], &entry, 0, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

#endif
