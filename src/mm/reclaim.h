/*
 * reclaim.h - free pages go back to the system.
 *
 * L3. Free pages that may have frames are isolated a batch at a time under the lock, dropped
 * without it, and put back as HOLE if the kernel says that it dropped them.
 */
#ifndef MM_RECLAIM_H
#define MM_RECLAIM_H

#include "mm/zone.h"

/* Drop every free page of the zone that is not HOLE. Returns how many pages were dropped. */
size_t reclaim_all(void);

#endif
