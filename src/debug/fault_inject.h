/*
 * fault_inject.h - requests that fail on purpose, so that people see what their program does then.
 *
 * L7. As the kernel's failslab and fail_page_alloc (lib/fault-inject.c), whose knobs are the
 * options fail= and fail_*=. With fail= malloc's fast path never hits (slab/size_class.h) and
 * caches have no sheaves, so that all requests come by; without it none of this runs.
 *
 * No lock, no allocation, errno is kept; callable from signal handlers. All threads draw from one
 * sequence of lots.
 */
#ifndef DEBUG_FAULT_INJECT_H
#define DEBUG_FAULT_INJECT_H

#include "base/compiler.h"
#include "kmalloc/gfp.h"

/* fail= is not 0, and means this program. Constant after fault_inject_init. */
extern bool fault_injecting;

/* Once, before threads, when fail= is not 0. */
void fault_inject_init(void);

/* Whoever asks has called `who`. Of a request that may not wait no stack is looked at. */
bool fault_inject_hits(const char *who, size_t bytes, stitch_gfp_t flags);

/* Shall this request fail? That is counted. */
static __inline_always bool fault_inject(const char *who, size_t bytes, stitch_gfp_t flags)
{
	return unlikely(fault_injecting) && fault_inject_hits(who, bytes, flags);
}

/*
 * The request has been looked at: what serves it, malloc perhaps, does not fail on purpose until
 * the end.
 */
static inline unsigned int fault_inject_pause(void)
{
	unsigned int before = gfp_scope;

	if (unlikely(fault_injecting))
		gfp_scope |= GFP_SCOPE_NO_FAULTS;
	return before;
}

static inline void fault_inject_resume(unsigned int before)
{
	if (unlikely(fault_injecting))
		gfp_scope = (uint8_t)before;
}

/* Requests that have failed so. */
size_t fault_inject_count(void);

#endif
