/*
 * pcp.h - a heap slot's own lists of low-order pages, in front of the zone and its lock.
 *
 * L3. Named after the kernel's per-cpu page lists (struct per_cpu_pages). A pcp has one user at
 * a time, the holder of its slot. Pages on it count as free but belong to no free block: they are
 * PAGE_PCP and are not merged.
 */
#ifndef MM_PCP_H
#define MM_PCP_H

#include "mm/mm_types.h"

/* PAGE_ALLOC_COSTLY_ORDER: higher orders go to the zone directly. */
#define PCP_MAX_ORDER 3u

struct pcp {
	struct list_head list[PCP_MAX_ORDER + 1]; /* hot end first */
	uint16_t count[PCP_MAX_ORDER + 1];	  /* blocks on each list */
};

void pcp_init(struct pcp *pcp);
/* As alloc_pages and free_pages, for any order. */
struct page *pcp_alloc(struct pcp *pcp, unsigned int order);
void pcp_free(struct pcp *pcp, struct page *page, unsigned int order);
/* Give everything back to the zone. */
void pcp_drain(struct pcp *pcp);

#endif
