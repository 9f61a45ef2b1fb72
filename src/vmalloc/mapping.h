/*
 * mapping.h - blocks with a mapping of their own, outside the heap.
 *
 * L5. A block of 32 MiB or more that realloc would have to move is moved out of the heap by its
 * page tables (mremap), once, and its mapping is longer than the block: it grows there without a
 * call, and beyond by mremap, elsewhere if need be. Never copied again, whatever lies behind it.
 * malloc makes none; but freed ones are kept for a while, within bounds, and serve it.
 *
 * The heap itself stays the mappings that it is: what is moved out leaves holes in it.
 *
 * All functions want the gate (kmalloc/gate.h), but those that only look, which take no lock.
 * Takes LOCK_MAPPINGS, over no call.
 */
#ifndef VMALLOC_MAPPING_H
#define VMALLOC_MAPPING_H

#include "mm/mm_types.h"

/* Gathered ones (vmalloc/gather.h) are as long as the longest block that they are for. */
#define GATHER_MIN_PAGES (PAGEBLOCK_PAGES + 1)
#define GATHER_MAX_PAGES (MIB(64) / PAGE_SIZE)

#define MAPPING_MIN_PAGES (MIB(32) / PAGE_SIZE)
/* A block stays in its mapping while it is not shorter than this. */
#define MAPPING_KEPT_PAGES (MIB(16) / PAGE_SIZE)

/* 8 GiB of blocks at least; more of them stay in the heap. */
#define MAX_MAPPINGS 256u

/*
 * Of an entry only the owner of its block changes nr_pages and capacity; an entry is taken, freed
 * and kept under the lock. An address is there before the program gets it and goes before it is
 * unmapped, so that it is never taken for that of somebody else's memory.
 */
struct mapping {
	_Atomic uintptr_t address; /* 0: an entry without a mapping */
	_Atomic size_t nr_pages;   /* of the block; 0: kept for reuse */
	_Atomic size_t capacity;   /* pages */
	_Atomic size_t nr_filled;  /* no page from here on has a frame */
	_Atomic size_t nr_maps;	   /* what it is to the kernel: 1, if it was not gathered */
	_Atomic bool gathered;
	_Atomic uint8_t nid; /* the node whose memory it has, or that it was made for */
	uint64_t freed_ms;
};

extern struct mapping_table {
	struct mapping entries[MAX_MAPPINGS];
	_Atomic unsigned int nr_entries; /* none from here on has ever been used */
} mapping_table;

/* Where an address lies. */
enum mapping_place {
	MAPPING_NONE,	/* in none of these mappings */
	MAPPING_BLOCK,	/* where a block begins */
	MAPPING_INSIDE, /* behind that */
	MAPPING_FREED,	/* in one that is kept for reuse */
};

/* *bytes: of the block. Certain only of a block that the caller owns. */
enum mapping_place mapping_look_up(const void *address, size_t *bytes);

/*
 * Move an area's frames, all of its old_pages pages, to a mapping for nr_pages. The area is to be
 * freed as vacated then. NULL, and the area is as it was: not here, or no memory.
 */
void *mapping_move_in(struct page *page, size_t nr_pages);

/*
 * Resize a block, perhaps by moving it. NULL, and nothing happens: no memory, or it had better be
 * copied: it is not as long any more as blocks outside the heap are.
 */
void *mapping_resize(void *block, size_t nr_pages);

/* False, and nothing happens, where no block begins. */
bool mapping_free(void *block);

/* A freed mapping that suits nr_pages, with whatever it holds; NULL: none. */
void *mapping_reuse(size_t nr_pages);

/* Seems to be there. No lock. */
bool mapping_suits(size_t nr_pages);

/* Some are kept for reuse. No lock. */
bool mapping_is_cached(void);

/* Give back one that has been kept for so long. Returns how many pages; 0: there is none. */
size_t mapping_drop(uint64_t min_age_ms);
/* All of them, however new. */
size_t mapping_drop_all(void);

/* Pages here may be moved out: memory is not locked, and counts towards no limit of the system. */
bool mapping_may_leave(void *address);

/*
 * For gather.c: GATHER_MAX_PAGES of address space for a block, new or kept, of which *nr_filled
 * pages from the first on may have frames. NULL: none. It is the program's, or mapping_free's.
 */
void *mapping_open_gathered(size_t nr_pages, size_t *nr_filled);
/* More of its pages have frames now, which makes more mappings of it. */
void mapping_note_gathered(void *block, size_t nr_filled, size_t nr_more_maps);

/* Unmap such a block, but for pages that may not be its own any more. */
void mapping_abandon(void *block, size_t hole, size_t nr_pages);

struct mapping_counts {
	size_t nr_live, nr_cached;	   /* mappings */
	size_t nr_maps;			   /* as the kernel counts them */
	size_t live_pages;		   /* of blocks */
	size_t cached_pages;		   /* that may have frames */
	size_t nr_moved_in, nr_moved, nr_reused; /* blocks, since the start */
};

void mapping_count(struct mapping_counts *counts);

#endif
