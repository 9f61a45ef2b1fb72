/*
 * cma_alloc.h - mm/cma.h for the program: enters the gate, takes the lock, and asks owners of lent
 * pages to move them.
 *
 * L6. Outside the gate, not in signal handlers. Owners are called without locks, outside the gate.
 */
#ifndef KMALLOC_CMA_ALLOC_H
#define KMALLOC_CMA_ALLOC_H

#include "mm/cma.h"
#include "stitch/cma.h"

struct cma *cma_declare(const char *name, size_t bytes);

/* NULL: no such range, or no memory. */
void *cma_alloc(struct cma *cma, size_t nr_pages, size_t align_pages);
bool cma_release(struct cma *cma, void *address, size_t nr_pages);

/* NULL: no area has a page. */
void *cma_lend(const struct stitch_movable_operations *owner);
/* False: it is not lent. */
bool cma_return(void *page);

#endif
