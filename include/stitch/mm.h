/*
 * mm.h - whole pages: 2^order of them, naturally aligned (include/linux/gfp.h, mm.h of the kernel).
 *
 * A page is STITCH_PAGE_SIZE bytes, and has a descriptor, struct stitch_page, and a number, its
 * pfn, counted from the heap's start (in ZONE_DMA and DMA32 far above all others). Orders are 0 to
 * STITCH_MAX_PAGE_ORDER. Any thread may call; with STITCH_GFP_ATOMIC or NOWAIT signal handlers,
 * too (stitch/gfp.h), and they may free what was allocated so; these get at most 2 MiB at a time,
 * order 9. NULL or 0 when there is no memory. What was allocated here is freed here, as a whole,
 * with the same order.
 */
#ifndef STITCH_MM_H
#define STITCH_MM_H

#include "stitch/gfp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STITCH_PAGE_SHIFT 12
#define STITCH_PAGE_SIZE (1ul << STITCH_PAGE_SHIFT)
#define STITCH_MAX_PAGE_ORDER 10

struct stitch_page;

/*
 * 2^order pages at a multiple of their size; not zeroed without STITCH__GFP_ZERO. With
 * STITCH__GFP_HIGHMEM outside the address space, where that can be had (stitch/highmem.h).
 * Kernel: alloc_pages, alloc_page, __free_pages, __free_page.
 */
struct stitch_page *stitch_alloc_pages(stitch_gfp_t flags, unsigned int order);
void stitch_free_pages_of(struct stitch_page *page, unsigned int order);

/*
 * Nodes: on a machine with several, memory of the one that a thread runs on is nearest to it. They
 * are numbered from 0 on, without gaps; with STITCH_CONF=numa_fake=N there are N on any machine.
 *
 * stitch_alloc_pages_node: of this node as long as it has any, with STITCH__GFP_THISNODE of it or
 * not at all; STITCH_NUMA_NO_NODE: as stitch_alloc_pages. NULL and EINVAL: there is no such node.
 * A node has none when its part of the heap's addresses is full; then all that is kept for reuse
 * is given back first, unless STITCH__GFP_NORETRY says not to. The kernel is asked to take frames
 * of the node, and takes others when that has none. stitch_page_to_nid tells whose the address is.
 * stitch_numa_node_id: on which the thread runs at this moment. stitch_page_to_nid: whose a page of
 * the heap is; 0 of others. Kernel: alloc_pages_node, numa_node_id, page_to_nid.
 */
#define STITCH_NUMA_NO_NODE (-1)
struct stitch_page *stitch_alloc_pages_node(int nid, stitch_gfp_t flags, unsigned int order);
int stitch_numa_node_id(void);
int stitch_page_to_nid(const struct stitch_page *page);

/*
 * The same by address, which is 0 when there is no memory.
 * Kernel: __get_free_pages, get_zeroed_page, free_pages.
 */
unsigned long stitch_get_free_pages(stitch_gfp_t flags, unsigned int order);
unsigned long stitch_get_zeroed_page(stitch_gfp_t flags);
void stitch_free_pages(unsigned long address, unsigned int order);

/*
 * Exactly as many pages as hold `bytes`, page-aligned; free with the same number of bytes.
 * Kernel: alloc_pages_exact, free_pages_exact.
 */
void *stitch_alloc_pages_exact(size_t bytes, stitch_gfp_t flags);
void stitch_free_pages_exact(void *address, size_t bytes);

/*
 * Free a page that is not likely to be in a processor's cache, behind those that are wanted first.
 * Kernel: free_hot_cold_page (until 4.14).
 */
void stitch_free_cold_page(struct stitch_page *page);

/* Smallest order whose pages hold so many bytes. Kernel: get_order. */
static inline unsigned int stitch_get_order(size_t bytes)
{
	unsigned int order = 0;

	while (order < 52 && bytes > STITCH_PAGE_SIZE << order)
		order++;
	return order;
}

/*
 * No locks, signal-safe; of pages of the heap and of the zones, NULL for anything else. Pages
 * of ZONE_HIGHMEM have pfns behind those of the heap, and an address while kmap maps them.
 * pfn_valid: the page was opened for use at some time. Kernel: page_address, virt_to_page,
 * page_to_pfn, pfn_to_page, pfn_valid.
 */
void *stitch_page_address(const struct stitch_page *page);
struct stitch_page *stitch_virt_to_page(const void *address);
unsigned long stitch_page_to_pfn(const struct stitch_page *page);
struct stitch_page *stitch_pfn_to_page(unsigned long pfn);
int stitch_pfn_valid(unsigned long pfn);

/* Counts of the heap, in pages. May wait. Kernel: si_meminfo. */
struct stitch_sysinfo {
	unsigned long totalram;	 /* that the heap can have: its reserved address space */
	unsigned long freeram;	 /* of these, not in use */
	unsigned long sharedram, bufferram; /* 0 */
	unsigned long totalhigh; /* ZONE_HIGHMEM: pages that there can be; 0: not used yet */
	unsigned long freehigh;	 /* of these, not in use */
	unsigned int mem_unit;	 /* bytes a page */
};
void stitch_si_meminfo(struct stitch_sysinfo *info);

#ifdef __cplusplus
}
#endif

#endif
