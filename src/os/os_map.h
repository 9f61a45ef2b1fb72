/*
 * os_map.h - the contract of mappings that are resized and moved as wholes (mremap).
 *
 * L1. As os.h: 0 or -errno, errno untouched, addresses and lengths page-aligned and not 0.
 */
#ifndef OS_OS_MAP_H
#define OS_OS_MAP_H

#include "base/compiler.h"

/*
 * A mapping that can be written to, private, without swap accounting, at a multiple of 2 MiB.
 * os_unreserve takes it back.
 */
int os_map(size_t bytes, void **address);

/* The same at an address where there is nothing mapped; -EEXIST where there is something. */
int os_map_at(void *address, size_t bytes);

/*
 * Move the frames of part of a mapping to `to`, onto whatever is mapped there, which becomes a
 * mapping like the one that they come from. That one stays and is empty there: it reads as zero.
 * -EINVAL from a kernel before 5.7. Not where os_is_locked: the whole mapping would not be locked
 * any more.
 *
 * After an error there may be nothing mapped at `to` any more, and another thread's mapping since;
 * and of several mappings (not os_is_one_map) the first may have moved.
 */
int os_move_out(void *from, size_t bytes, void *to);

/*
 * The range lies in one mapping, and so does the page behind it, or there is another mapping there:
 * else the range is made longer by a page. False also when it cannot be told.
 */
bool os_is_one_map(void *address, size_t bytes);

/* Grow or shrink a mapping, elsewhere if there is no room behind it. *address: where it is. */
int os_resize_mapping(void **address, size_t old_bytes, size_t bytes);

/* The page's mapping is locked into memory (mlockall), or the kernel (before 5.4) does not say. */
bool os_is_locked(void *address);

#endif
