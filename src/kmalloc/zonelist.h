/*
 * zonelist.h - which zones a request may have memory of, and in which order (the kernel's
 * get_page_from_freelist over a zone list).
 *
 * L6. What a request may have, and when that has nothing:
 *
 *	GFP_HIGHUSER	HIGHMEM (kmalloc/high_pages.h), NORMAL, DMA32
 *	otherwise	NORMAL (the heap), DMA32
 *	GFP_DMA32	DMA32
 *	GFP_DMA		DMA
 *
 * DMA is for who asks for it only: it is not below 4 GiB, and children find it wiped. So that
 * memory of DMA32 is there for who can use nothing else, a request for NORMAL has to leave
 * lowmem_reserve of it free: a share of what the heap has. A zone that is only fallen back to does
 * not grow.
 *
 * Marks: who may wait leaves `low` free, else the zone grows, else all leave `min`, of which who
 * has a right to it (GFP_ATOMIC, __GFP_HIGH, MEMALLOC) may take some or all.
 */
#ifndef KMALLOC_ZONELIST_H
#define KMALLOC_ZONELIST_H

#include <stddef.h>

#include "kmalloc/gfp.h"

/*
 * For flags with STITCH__GFP_DMA or DMA32: tries as hard as they allow. Without DIRECT_RECLAIM
 * lock-free and signal-safe, from what the zones have by then; else outside the gate.
 * At most LOWMEM_CHUNK_BYTES. NULL: none can be had.
 */
void *zonelist_alloc(size_t bytes, size_t align, stitch_gfp_t flags);

/* NORMAL has nothing. Lock-free and signal-safe. */
void *zonelist_fall_back(size_t bytes, size_t align, stitch_gfp_t flags);

/* lowmem_reserve of a zone in bytes, for requests of the class: a zone, or above all for NORMAL. */
size_t zonelist_protection(unsigned int zone, unsigned int class);

/* Give back what the zones need not keep. Outside the gate. In bytes. */
size_t zonelist_trim(void);

#endif
