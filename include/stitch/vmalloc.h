/*
 * vmalloc.h - address space for what need not be contiguous (include/linux/vmalloc.h).
 *
 * Any thread may call; all of it may sleep: not for signal handlers. NULL when there is no memory,
 * with errno ENOMEM.
 */
#ifndef STITCH_VMALLOC_H
#define STITCH_VMALLOC_H

#include "stitch/mm.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Whole pages that hold `bytes` bytes, page-aligned, with an unmapped guard page behind those
 * above 2 MiB wherever the heap has nothing there. vzalloc: all bytes are zero. Kernel: vmalloc,
 * vzalloc, vfree.
 */
void *stitch_vmalloc(size_t bytes);
void *stitch_vzalloc(size_t bytes);
void stitch_vfree(const void *address);

/*
 * Map frames of HIGHMEM (stitch_alloc_pages(STITCH_GFP_HIGHUSER, 0)) one behind the other, in the
 * given order; one frame may be mapped any number of times, at once and elsewhere: it is the same
 * memory at each address. flags: 0. prot: STITCH_PAGE_KERNEL or STITCH_PAGE_KERNEL_RO. vunmap
 * takes what vmap returned; the frames stay allocated. NULL and errno: EINVAL (a page that is no
 * such frame, count 0, flags), ENOMEM (also: vm.max_map_count). The frames are of a memfd: a
 * child of fork shares them with its parent. Kernel: vmap, vunmap.
 */
#define STITCH_PAGE_KERNEL 0x3
#define STITCH_PAGE_KERNEL_RO 0x1
void *stitch_vmap(struct stitch_page **pages, unsigned int count, unsigned long flags, int prot);
void stitch_vunmap(const void *address);

/* The address is one that vmalloc or vmap has given. Kernel: is_vmalloc_addr. */
int stitch_is_vmalloc_addr(const void *address);

#ifdef __cplusplus
}
#endif

#endif
