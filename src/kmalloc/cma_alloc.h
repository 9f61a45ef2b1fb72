/*
 * cma_alloc.h - mm/cma.h for the program: enters the gate, takes the lock, fills ranges with
 * memory, and asks owners of lent pages to move them.
 *
 * L6. Outside the gate, not in signal handlers. Owners are called without locks, outside the gate,
 * as shrinkers are (core/hooks.h).
 */
#ifndef KMALLOC_CMA_ALLOC_H
#define KMALLOC_CMA_ALLOC_H

#include "mm/cma.h"
#include "stitch/cma.h"

/* Not now: another thread has been forking for a second, or the gate is closed for good. */
enum cma_answer { CMA_DONE, CMA_WRONG, CMA_NOT_NOW };

/* Where pages go for which no area has room: single pages of the heap. */
struct cma_pages {
	void *(*alloc)(void); /* at once, or NULL */
	void (*free)(void *page);
};

struct cma *cma_declare(const char *name, size_t bytes);

/* NULL: no such range, or no memory. */
void *cma_alloc(struct cma *cma, size_t nr_pages, size_t align_pages,
		const struct cma_pages *pages);
enum cma_answer cma_release(struct cma *cma, void *address, size_t nr_pages);

/* NULL: no area has a page. */
void *cma_lend(const struct stitch_movable_operations *owner);
/* CMA_WRONG: it is not lent. */
enum cma_answer cma_return(void *page);

#endif
