/*
 * pages.h - whole pages by number: what alloc_pages, alloc_pages_exact and vmalloc give.
 *
 * L6. Runs up to RUN_MAX_PAGES, areas above, so that free(), realloc() and every report know them.
 * Who may not wait is served from mm/reserve.h, whose pages have struct pages, too. Memory of
 * mm/emergency.h has none: who is refused by the gate waits for it, a second at most.
 *
 * A page that is freed hot goes into the stock of the thread's slot (mm/pcp.h), newest first; a
 * cold one goes by it.
 */
#ifndef KMALLOC_PAGES_H
#define KMALLOC_PAGES_H

#include "mm/mm_types.h"
#include "stitch/gfp.h"

/*
 * The address of nr_pages >= 1 at a multiple of align_pages, a power of two up to UNIT_PAGES; flags
 * as in stitch/gfp.h. NULL: no memory. In a zone below the heap they have no struct pages.
 */
void *pages_alloc(size_t nr_pages, size_t align_pages, stitch_gfp_t flags);

/*
 * The same of this node (mm/node.h) as long as it has any; with STITCH__GFP_THISNODE in flags of it
 * or not at all. Without, that flag is about the thread's own node.
 */
void *pages_alloc_node(size_t nr_pages, size_t align_pages, stitch_gfp_t flags, unsigned int nid);

/*
 * Of just so many pages, or it is reported and nothing happens. The address is any; not NULL.
 */
void pages_free(void *address, size_t nr_pages, const char *operation);
void pages_free_cold(void *address, size_t nr_pages, const char *operation);

/* In pages: the heap's address space, and what of it is not in use. Enters the gate. */
struct pages_count {
	size_t nr_reserved, nr_free;
};

void pages_count(struct pages_count *count);

#endif
