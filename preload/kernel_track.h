/*
 * kernel_track.h - leak records of pages and objects that no function of malloc's family gave out.
 *
 * L10.
 */
#ifndef PRELOAD_KERNEL_TRACK_H
#define PRELOAD_KERNEL_TRACK_H

#include "debug/leak_sample.h"
#include "debug/leak_track.h"
#include "kmalloc/gfp.h"
#include "mm/lowmem.h"

/*
 * leak_has_stacks(). Inlined, so that stacks begin with the name that the program has called. No
 * stack of who may not wait: whose the record was is over. Other zones have no records.
 */
static __inline_always void kernel_track(void *address, size_t bytes, stitch_gfp_t flags)
{
	if (!gfp_may_wait(flags))
		leak_untrack(address);
	else if (!lowmem_contains(address) && (leak_tracking() || leak_sample_hits(bytes)))
		leak_track(address, bytes);
}

#endif
