/*
 * vmap_area.h - areas: what malloc gives out above 2 MiB.
 *
 * L5. Whole 4 MiB units of address space from the range allocator, of which only the pages that
 * were asked for are ever counted or touched. Where pages with frames are free they are found
 * there, or moved there (vmalloc/stitch.h); freed areas keep theirs for the next one for a while
 * (mm/decay.h).
 *
 * Takes LOCK_RECLAIM and LOCK_ZONE itself. The head's page map entry is PAGEMAP_AREA from
 * area_alloc to area_free.
 */
#ifndef VMALLOC_VMAP_AREA_H
#define VMALLOC_VMAP_AREA_H

#include "mm/mm_types.h"

/* nr_pages contiguous pages at a multiple of align_bytes (a power of two). NULL: no memory. */
struct page *area_alloc(size_t nr_pages, size_t align_bytes);

/* Only where all pages have frames. NULL: there is no such place. */
struct page *area_alloc_resident(size_t nr_pages);

/*
 * For a block that takes frames along and may grow: the first place, whatever frames are there.
 * area_fill gets some for all but its `first` pages.
 */
struct page *area_alloc_unfilled(size_t nr_pages);
void area_fill(struct page *page, size_t first);

/* False, and nothing happens, when the page is not the head of an area. */
bool area_free(struct page *page);

/* The same when frames of its pages were moved elsewhere, and it was noted which. */
bool area_free_vacated(struct page *page);

/* Grow or shrink in place (nr_pages >= 1). False, and nothing happens, when the space is taken. */
bool area_resize(struct page *page, size_t nr_pages);

/* Areas handed out at present. */
size_t area_count(void);

#endif
