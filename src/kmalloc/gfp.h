/*
 * gfp.h - what the flags of stitch/gfp.h mean to an allocation.
 *
 * L6. A request with STITCH__GFP_DIRECT_RECLAIM goes malloc's way; when that has nothing,
 * gfp_try_harder says whether to try again. One without is served from mm/reserve.h or not at all.
 */
#ifndef KMALLOC_GFP_H
#define KMALLOC_GFP_H

#include "mm/reserve.h"
#include "stitch/gfp.h"

/* The thread's scopes of stitch_memalloc_noreclaim_save(). */
extern _Thread_local uint8_t gfp_scope __tls_initial_exec;
#define GFP_SCOPE_NORECLAIM 1u
#define GFP_SCOPE_NO_FAULTS 2u /* debug/fault_inject.h */
#define GFP_SCOPE_NO_SHRINKERS 4u
#define GFP_SCOPE_SHRINKING 8u /* kmalloc/shrinker.c */

/* The zones that a request can name, and those below the heap. */
#define GFP_LOWMEM (STITCH__GFP_DMA | STITCH__GFP_DMA32)
#define GFP_ZONES (GFP_LOWMEM | STITCH__GFP_HIGHMEM)

static inline bool gfp_may_wait(stitch_gfp_t flags)
{
	return flags & STITCH__GFP_DIRECT_RECLAIM;
}

static inline enum reserve_depth gfp_depth(stitch_gfp_t flags)
{
	bool all = (flags & STITCH__GFP_MEMALLOC) || gfp_scope & GFP_SCOPE_NORECLAIM;

	if (all && !(flags & STITCH__GFP_NOMEMALLOC))
		return RESERVE_ALL;
	return flags & STITCH__GFP_HIGH ? RESERVE_ATOMIC : RESERVE_NOWAIT;
}

/* A request that malloc's fast path serves as well. */
static inline bool gfp_is_plain(stitch_gfp_t flags)
{
	return (flags & (STITCH__GFP_DIRECT_RECLAIM | STITCH__GFP_ZERO | GFP_ZONES)) ==
	       STITCH__GFP_DIRECT_RECLAIM;
}

/* One of these zones, which the function does not have, is wanted; a line says so once. */
bool gfp_is_refused(stitch_gfp_t flags, stitch_gfp_t refused);

/*
 * From the reserve: for who may not wait, and, when all else has failed, for who may but has a
 * right to it (HIGH, MEMALLOC, a scope). NULL: no.
 */
void *gfp_alloc_reserved(size_t bytes, size_t align, stitch_gfp_t flags);

/*
 * An attempt to find so many bytes has found none; `nr_tries` counts them, from 0. True: try again,
 * everything that can be given back was, shrinkers have freed something, or (NOFAIL) some time has
 * passed. Outside the gate.
 */
bool gfp_try_harder(stitch_gfp_t flags, size_t bytes, unsigned int *nr_tries);

/* For who may wait: the reserve grows with the heap. Outside the gate. */
void gfp_fill_reserve(void);

#endif
