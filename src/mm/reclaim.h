/*
 * reclaim.h - free pages go back to the system, or the system is asked about them.
 *
 * L3. Free pages that may have frames are isolated a batch at a time under the zone lock, dropped
 * (or looked up) without it, and put back in the state that the kernel's answer proves. Meanwhile
 * LOCK_RECLAIM is held: who finds no memory waits for it and looks again (zone_alloc). A batch at a
 * time, so that a caller may let a fork in between.
 */
#ifndef MM_RECLAIM_H
#define MM_RECLAIM_H

#include "mm/zone.h"

/* One walk over all free pages of the zone that are not HOLE. Starts all 0. */
struct reclaim_walk {
	size_t cursor;	 /* pages below this pfn have been met */
	size_t nr_pages; /* that were dropped, or found to have a frame */
};

/* Drop the pages of the next batch; false when there was none. */
bool reclaim_some(struct reclaim_walk *walk);

/* What decay asks for. */
struct reclaim_limit {
	size_t nr_pages;     /* to drop; counted down */
	uint32_t min_age_ms; /* of a pageblock: nothing was freed into it for so long */
	bool split;	     /* also parts of huge pages that are mostly used */
};

/*
 * As reclaim_some, with LOCK_RECLAIM held, up to the page `end`, within the limit. Pageblocks are
 * only looked at if something was freed into them since they were last.
 */
bool reclaim_aged_locked(struct reclaim_walk *walk, struct reclaim_limit *limit, size_t end);

/* Ask which pages of the next batch have frames: they are RESIDENT afterwards. */
bool reclaim_resolve_some(struct reclaim_walk *walk);

#endif
