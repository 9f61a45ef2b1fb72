/*
 * high_pages.h - mm/highmem.h for the program: enters the gate, takes the lock, says what is wrong.
 *
 * L6. Callable outside the gate, by any thread, not by signal handlers: waits for a fork of
 * another.
 */
#ifndef KMALLOC_HIGH_PAGES_H
#define KMALLOC_HIGH_PAGES_H

#include "mm/highmem.h"
#include "stitch/gfp.h"

/* NULL: no memory outside the address space. */
struct high_page *high_pages_alloc(stitch_gfp_t flags, unsigned int order);
/* page: a descriptor of highmem. */
void high_pages_free(struct high_page *page, unsigned int order, const char *operation);

void *high_pages_kmap(struct high_page *page);
void high_pages_kunmap(struct high_page *page, const char *operation);

/* Returns how many pages lost their memory. */
size_t high_pages_trim(void);

#endif
