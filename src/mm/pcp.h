/*
 * pcp.h - a heap slot's own stock of low-order pages and of page runs, in front of the zone and
 * its lock.
 *
 * L3. Named after the kernel's per-cpu page lists (struct per_cpu_pages). A pcp has one user at
 * a time, the holder of its slot. What it holds counts as used (USE_SLAB, USE_RUN) for the zone, is
 * PAGE_PCP, and is not merged. Runs in it have been written to since the zone handed them out: its
 * residency records do not tell which of their pages are zero.
 *
 * A pcp is of one group (mm/memcontrol.h) and one node (mm/node.h), as its slot: blocks of others
 * go to the zone at once.
 */
#ifndef MM_PCP_H
#define MM_PCP_H

#include "mm/mm_types.h"

/* PAGE_ALLOC_COSTLY_ORDER: higher orders go to the zone directly. */
#define PCP_MAX_ORDER 3u

/*
 * Runs up to this length are kept, a few of each length. A longer one is kept until the next tick
 * of decay, or until something else is asked for that is not here: who allocates and frees a buffer
 * again and again needs no lock. When the heap has grown, whatever is asked for that is not here
 * makes a pcp give up all that it holds.
 */
#define PCP_MAX_RUN_PAGES 64u
#define PCP_RUN_SETS 16u
#define PCP_RUN_WAYS 4u

struct pcp {
	struct list_head list[PCP_MAX_ORDER + 1]; /* hot end first */
	uint16_t count[PCP_MAX_ORDER + 1];	  /* blocks on each list */
	uint16_t memcg;				  /* group of all that it holds */
	uint16_t nid;				  /* node of all that it holds */
	uint32_t nr_run_pages;			  /* in the runs below */
	size_t nr_faulted_seen;			  /* when all was last given up (zone.h) */
	struct page *long_run;			  /* the long one of them, or NULL */
	struct page *run[PCP_RUN_SETS][PCP_RUN_WAYS]; /* by length; newest first, then NULL */
};

void pcp_init(struct pcp *pcp, unsigned int memcg, unsigned int nid);
/*
 * As alloc_pages and free_pages, for any order. populate: all of it is going to be used, so that
 * frames for a large block are had at once.
 */
struct page *pcp_alloc(struct pcp *pcp, unsigned int order, bool populate);
void pcp_free(struct pcp *pcp, struct page *page, unsigned int order);

/*
 * A run of exactly nr_pages that run_alloc once gave and that is not zero. NULL: then it is to come
 * from elsewhere, and a long run was given up, or all.
 */
struct page *pcp_run_alloc(struct pcp *pcp, size_t nr_pages);
/* The same, its address a multiple of align_pages (a power of two) pages. */
struct page *pcp_run_alloc_aligned(struct pcp *pcp, size_t nr_pages, size_t align_pages);
/*
 * Take in a run (an owner's PAGEMAP_RUN head) in place of run_free. False, and nothing happens,
 * when it is not one (any more) or is not to be kept.
 */
bool pcp_run_free(struct pcp *pcp, struct page *page);

/* Other pages than those that are here are wanted: a long run goes back to the zone. */
void pcp_give_up_long(struct pcp *pcp);

/* Give the runs back to the zone. */
void pcp_drain_runs(struct pcp *pcp);

/* Give everything back to the zone. */
void pcp_drain(struct pcp *pcp);

/* It holds nothing. Of another slot's: or just held something, or will in a moment. */
bool pcp_is_empty(const struct pcp *pcp);

#endif
