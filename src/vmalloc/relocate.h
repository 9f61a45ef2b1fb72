/*
 * relocate.h - a block that realloc moves takes its frames along, in place of its bytes.
 *
 * L5. Where the new place has no frames those of the old one are moved there (vmalloc/mover.h), if
 * that is cheaper than faults; where it has some the bytes are copied, by the caller, and the
 * frames of the old place stay for others. Takes LOCK_RECLAIM and LOCK_ZONE.
 */
#ifndef VMALLOC_RELOCATE_H
#define VMALLOC_RELOCATE_H

#include "base/compiler.h"

/* Shorter blocks are copied: 512 KiB. */
#define RELOCATE_MIN_PAGES 128u

/* Before the first piece of a block in use: its pages may have frames, whatever was known. */
void relocate_begin(size_t from, size_t nr_pages);

/*
 * Deal with the first of nr_pages pages in use, on their way to pages that have just been handed
 * out. Returns their number, at most a pageblock's. *moved: they are there; false: they are to be
 * copied. What was moved is noted, so that the old block is to be freed as vacated.
 */
size_t relocate_some(size_t to, size_t from, size_t nr_pages, bool *moved);

#endif
