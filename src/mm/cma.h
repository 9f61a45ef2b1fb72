/*
 * cma.h - areas of contiguous memory that are reserved early and lent out until they are wanted.
 *
 * L3. An area is a part of mm/lowmem.h with one chunk, and counts against limit= as a whole from
 * the start, so that what it promises can be had later. Its pages have memory while they are in
 * use only. What has been allocated of it is one object of the part's pool, of whole pages. A page
 * that is lent is an object of one page, with the owner's operations noted beside: it can be moved,
 * since who has it has said how.
 *
 * To make room where pages are lent a range is *isolated*: its free pages are taken, too, a page
 * each, and what is freed of it stays with who isolates. When nothing of it is lent any more all of
 * it becomes one object.
 *
 * LOCK_LOWMEM protects everything.
 */
#ifndef MM_CMA_H
#define MM_CMA_H

#include "mm/lowmem.h"

#define MAX_CMA_AREAS 16u
#define CMA_NAME_BYTES 32u

struct stitch_movable_operations;

struct cma {
	char name[CMA_NAME_BYTES];
	struct lowmem_part *part;
	size_t nr_pages;
	const struct stitch_movable_operations **owners; /* by page; NULL: not lent */
	size_t nr_lent;
	size_t first, nr_isolated; /* the range; nr_isolated 0: none */
	uintptr_t isolator;	   /* thread pointer of who isolates it */
};

struct cma_table {
	struct cma areas[MAX_CMA_AREAS];
	_Atomic unsigned int nr_areas; /* those below are whole */
};

extern struct cma_table cma_table;

/* A whole number of pages. NULL: no address space, no memory, limit=, or MAX_CMA_AREAS. */
struct cma *cma_new_locked(const char *name, size_t bytes);

/* The area that the address lies in, or NULL. No lock. */
struct cma *cma_of(const void *address);

static inline char *cma_page_address(const struct cma *cma, size_t page)
{
	return cma->part->base + page * PAGE_SIZE;
}

/* Free pages in a row, zero. NULL: there are none. */
void *cma_take_locked(struct cma *cma, size_t nr_pages, size_t align_pages);

/* False: not just these were allocated. Their memory is given back. */
bool cma_release_locked(struct cma *cma, void *address, size_t nr_pages);

/* A page for who can move it. NULL: no area has one. */
void *cma_lend_locked(const struct stitch_movable_operations *owner);
/* False: the page is not lent. */
bool cma_return_locked(void *page);
/* Whose the page is; NULL: it is not lent. */
const struct stitch_movable_operations *cma_owner_locked(const void *page);

/*
 * The next range at or behind *from, at a multiple of align_pages, in which all pages are free or
 * lent: isolated from now on; *from moves to it. False: there is none, or one is isolated.
 */
bool cma_isolate_locked(struct cma *cma, size_t nr_pages, size_t align_pages, size_t *from);
/* The first page of the range that is lent still; NULL: none. */
void *cma_next_lent_locked(const struct cma *cma);
/* Nothing of the range is lent: it is one object from now on. */
void cma_join_locked(struct cma *cma);
/* It was in vain. What is lent stays so. */
void cma_unisolate_locked(struct cma *cma);

/* In a child, at any instant: a thread that isolated a range may not be here. No lock. */
void cma_after_fork(void);

bool validate_cma(void);

#endif
