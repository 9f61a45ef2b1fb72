/*
 * reclaim.h - free pages go back to the system, or the system is asked about them.
 *
 * L3. Free pages that may have frames are isolated a batch at a time under the zone lock, dropped
 * (or looked up) without it, and put back in the state that the kernel's answer proves. Meanwhile
 * LOCK_RECLAIM is held: who finds no memory waits for it and looks again (zone_alloc), and a fork
 * finds nothing isolated.
 */
#ifndef MM_RECLAIM_H
#define MM_RECLAIM_H

#include "mm/zone.h"

/* Drop every free page of the zone that is not HOLE. Returns how many pages were dropped. */
size_t reclaim_all(void);

/* Ask which free pages have frames: they are RESIDENT afterwards. Returns how many. */
size_t reclaim_resolve(void);

#endif
