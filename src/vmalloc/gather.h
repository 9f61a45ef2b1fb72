/*
 * gather.h - where there is no mover: large requests gather frames of scattered free pages in a
 * mapping outside the heap.
 *
 * L5. By mremap, run by run, in place of UFFDIO_MOVE (vmalloc/stitch.h): the heap stays one
 * mapping, but each run is one of its own at its new place, of which a process may have a number
 * only. So runs are long, 256 KiB at the least, and there is a budget of an eighth of
 * vm.max_map_count. They do not come back: a freed block's mapping is kept with its frames
 * (vmalloc/mapping.h), serves requests of its size, is added to for longer ones, and is unmapped
 * when it has aged.
 *
 * Takes LOCK_RECLAIM, LOCK_MAPPINGS and LOCK_ZONE.
 */
#ifndef VMALLOC_GATHER_H
#define VMALLOC_GATHER_H

#include "base/compiler.h"

/* A block for GATHER_MIN_PAGES to GATHER_MAX_PAGES. NULL: not here, or not worth it. */
void *gather_alloc(size_t nr_pages);

/* Mappings that a process may have. 0: it cannot be told, or a filter may kill who asks. */
size_t max_map_count(void);

/* Since the start. LOCK_RECLAIM to write. */
struct gather_counts {
	size_t requests;    /* blocks into which frames were moved */
	size_t runs, pages; /* moved */
	size_t ns;	    /* that it took */
	size_t no_maps;	    /* requests cut short by the budget */
};

extern struct gather_counts gather_counts;

#endif
