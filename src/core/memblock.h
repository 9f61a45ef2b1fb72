/*
 * memblock.h - the bump allocator for the allocator's own structures.
 *
 * L2. Memory comes from a part of the reserve that the boot hands over, is opened as it is used,
 * reads as zero when first handed out, and is never given back: owners keep what they no longer
 * need on lists of their own (slab/barn.c). It grows downwards, so that its open end touches the
 * open end of the page map and both are one mapping.
 *
 * Lock: LOCK_MEMBLOCK. May call os/ only.
 */
#ifndef CORE_MEMBLOCK_H
#define CORE_MEMBLOCK_H

#include "base/compiler.h"

/* [start, end): page-aligned, reserved, not opened. Called once, by the boot. */
void memblock_init(char *start, char *end);

/* Zeroed memory on a cache line of its own; NULL when the part is used up or cannot be opened. */
void *memblock_alloc(size_t bytes);

/* Bytes opened so far. */
size_t memblock_opened(void);

#endif
