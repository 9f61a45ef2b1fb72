/*
 * vmap.h - given pages in one contiguous range of addresses (the kernel's vmap; mm/vmalloc.c).
 *
 * L6. Pages of mm/highmem.h only: those of the heap are private memory, that cannot be at two
 * addresses. In front of the pages lies a list of them, and between and behind guard pages, which
 * nobody can access:
 *
 *	| list ... | guard | page | page | ... | guard |
 *
 * The areas hang in a tree by address, which LOCK_HIGHMEM protects. They are mappings of their own:
 * one a run of pages that follow each other in the file, and three more.
 *
 * A child has its parent's areas, shared with it, and may take them down.
 */
#ifndef KMALLOC_VMAP_H
#define KMALLOC_VMAP_H

#include "mm/highmem.h"
#include "stitch/rbtree.h"

/* Never freed, but used again: who reads without the lock finds one or the other area, or none. */
struct vmap {
	char *start; /* of the pages; NULL: it is none at present */
	size_t nr_pages;
	struct vmap *next; /* that was made before */
	struct stitch_rb_node node;
	size_t nr_mapped; /* while it is made: the first so many are */
	struct high_page **pages;
	struct vmap *next_spare;
};

extern struct vmaps {
	struct vmap *_Atomic first; /* of all that were ever made */
} vmaps;

/*
 * NULL: a page is none of highmem, or of another process; or no address space or mapping is left.
 */
void *vmap_pages(struct high_page *const *pages, size_t nr_pages, bool writable);

/* False: no area begins there. */
bool vmap_end(const void *address);

/* The page at an address in an area; NULL: it is in none. */
struct high_page *vmap_page_at(const void *address);

#endif
