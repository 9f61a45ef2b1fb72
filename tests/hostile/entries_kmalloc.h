/* entries_kmalloc.h - see entries.h: include/stitch/gfp.h, and kmalloc of slab.h. */
#ifndef HOSTILE_ENTRIES_KMALLOC_H
#define HOSTILE_ENTRIES_KMALLOC_H

#include "kernel_api.h"

static inline bool entry_call_kmalloc(const char *name)
{
	SAYS(stitch_reserve_fill, !stitch_reserve_fill(0))
	SAYS(stitch_memalloc_noreclaim_save, !stitch_memalloc_noreclaim_save() &&
						     stitch_memalloc_noreclaim_save() == 1)
	SAYS(stitch_memalloc_noreclaim_restore, (stitch_memalloc_noreclaim_restore(0), true))
	GIVES(stitch_kmalloc, 64, stitch_kmalloc(192, STITCH_GFP_KERNEL))
	GIVES(stitch_kzalloc, 16, stitch_kzalloc(100, STITCH_GFP_KERNEL))
	GIVES(stitch_kmalloc_array, 16, stitch_kmalloc_array(10, 10, STITCH_GFP_KERNEL))
	GIVES(stitch_kcalloc, 16, stitch_kcalloc(10, 10, STITCH_GFP_KERNEL))
	GIVES(stitch_krealloc, 16, stitch_krealloc(NULL, 100, STITCH_GFP_KERNEL))
	SAYS(stitch_kfree, (stitch_kfree(NULL), stitch_kfree(STITCH_ZERO_SIZE_PTR), true))
	SAYS(stitch_kfree_sensitive, (stitch_kfree_sensitive(NULL), true))
	SAYS(stitch_ksize, !stitch_ksize(NULL))
	SAYS(stitch_kmalloc_size_roundup, stitch_kmalloc_size_roundup(100) == 112)
	SAYS(stitch_kstrdup, !stitch_kstrdup(NULL, STITCH_GFP_KERNEL))
	SAYS(stitch_kstrndup, !stitch_kstrndup(NULL, 1, STITCH_GFP_KERNEL))
	SAYS(stitch_kmemdup, !stitch_kmemdup(NULL, 1, STITCH_GFP_KERNEL))
	GIVES(stitch_kvmalloc, 16, stitch_kvmalloc(100, STITCH_GFP_KERNEL))
	GIVES(stitch_kvzalloc, 16, stitch_kvzalloc(100, STITCH_GFP_KERNEL))
	GIVES(stitch_kvcalloc, 16, stitch_kvcalloc(10, 10, STITCH_GFP_KERNEL))
	SAYS(stitch_kvfree, (stitch_kvfree(NULL), true))
	return false;
}

#endif
