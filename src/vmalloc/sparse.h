/*
 * sparse.h - areas of which the program touches little.
 *
 * L5. Who asks for megabytes and uses the first pages would have the frames of the rest for
 * nothing, while others fault in new ones. An area that was given out nearly without frames shows
 * at its end how many it has got. When most were not touched, the next ones of about its size are
 * placed where no frames are, and none are moved there. Areas that were given out with frames show
 * nothing: what is known of their size stays, and any of their pages may have been touched.
 *
 * Not under a seccomp filter, which may kill who asks.
 */
#ifndef VMALLOC_SPARSE_H
#define VMALLOC_SPARSE_H

#include "mm/mm_types.h"

/*
 * How many pages of an area of this size will not be touched, as far as is known: three quarters
 * of them and more, and it is to do without frames that others can use; or 0. Racy without the
 * zone lock.
 */
size_t sparse_spared(size_t nr_pages);

/*
 * Look at an area that is being freed, which nobody else can get at, and note which of its pages
 * have frames. False when that is not worth it: any may have some. Takes LOCK_ZONE.
 */
bool sparse_look(const struct page *page);

#endif
