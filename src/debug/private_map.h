/*
 * private_map.h - memory that the leak check keeps for itself, and that is no root of its scan.
 *
 * L7. Mappings of their own, without swap accounting: pages that are not touched cost nothing.
 */
#ifndef DEBUG_PRIVATE_MAP_H
#define DEBUG_PRIVATE_MAP_H

#include "base/compiler.h"

/* Zeroed; at least a page. NULL: no memory, or too many of them. */
void *private_map(size_t bytes);
/* The same, shared with a copy of the process (os/os_copy.h). */
void *private_map_shared(size_t bytes);
/* NULL is passed over. */
void private_unmap(void *address);

/* Ours, too, but no mapping: statics that hold addresses of objects without being their owner. */
void private_add(void *address, size_t bytes);

/*
 * The first private range that has something in [start, end), cut to it. False: all of it is
 * the program's.
 */
bool private_find(uintptr_t start, uintptr_t end, uintptr_t *first, uintptr_t *last);

#endif
