/*
 * alloc_failure.h - the page allocation failure report (warn_alloc() of mm/page_alloc.c).
 *
 * L7. Says on descriptor 2 which request has failed, who made it, and what the zone had free. At
 * most 10 in 5 seconds; how many were left out is said with the next one. No locks, no allocation,
 * keeps errno: callable inside and outside the gate.
 */
#ifndef DEBUG_ALLOC_FAILURE_H
#define DEBUG_ALLOC_FAILURE_H

#include "base/compiler.h"
#include "stitch/gfp.h"

/* A request of 2^order pages has failed. Silent with STITCH__GFP_NOWARN. who: "kmalloc()". */
void alloc_failure_report(const char *who, stitch_gfp_t flags, unsigned int order);

/* Flags as the kernel prints them: GFP_KERNEL|__GFP_ZERO; "none" for 0. */
void alloc_failure_flags(char *text, size_t bytes, stitch_gfp_t flags);

/* ___ratelimit(): may this one be printed, at this time? *nr_missed: how many since the last. */
bool alloc_failure_is_due(uint64_t now_ms, unsigned int *nr_missed);

#endif
