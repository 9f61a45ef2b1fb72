/*
 * vmalloc.h - memory that need not be contiguous for the machine (include/linux/vmalloc.h).
 *
 * Any thread may call; all of it may sleep: not for signal handlers.
 */
#ifndef STITCH_VMALLOC_H
#define STITCH_VMALLOC_H

#include <stddef.h>

struct stitch_page;

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Whole pages that hold `bytes` bytes, page-aligned; vzalloc: all bytes are zero. Where resident
 * pages are free elsewhere in the heap they are moved there rather than new ones faulted in.
 * There is no guard page behind them: it would be a mapping of its own. NULL when there is no
 * memory, with errno ENOMEM, and for 0 bytes. Kernel: vmalloc, vzalloc, vfree.
 */
void *stitch_vmalloc(size_t bytes);
void *stitch_vzalloc(size_t bytes);
/* What these have given, or NULL. */
void stitch_vfree(const void *address);

/*
 * Map `count` pages of ZONE_HIGHMEM (stitch/highmem.h) in a row, each as often as it is named,
 * until vunmap: the pages stay the caller's, who frees them after that. A guard page before and
 * behind. flags: STITCH_VM_MAP, or 0; prot: STITCH_PAGE_KERNEL, or STITCH_PAGE_KERNEL_RO to only
 * read. NULL, and errno: EINVAL: no pages, or one that is of the heap; ENOMEM: no address space,
 * no more mappings (each run of pages that follow each other is one), or a page is of another
 * process. Kernel: vmap, vunmap.
 */
#define STITCH_VM_MAP 4ul
#define STITCH_PAGE_KERNEL 3u
#define STITCH_PAGE_KERNEL_RO 1u
void *stitch_vmap(struct stitch_page **pages, unsigned int count, unsigned long flags,
		  unsigned int prot);
/* What vmap has given, or NULL. */
void stitch_vunmap(const void *address);

/*
 * 1: the address is in an area of vmap, or the start of a block of malloc, vmalloc and the like
 * that is larger than 2 MiB (smaller ones are page runs, or objects of a size class). Kernel:
 * is_vmalloc_addr.
 */
int stitch_is_vmalloc_addr(const void *address);

/* The page at an address in an area of vmap or in the heap, else NULL. Kernel: vmalloc_to_page. */
struct stitch_page *stitch_vmalloc_to_page(const void *address);

#ifdef __cplusplus
}
#endif

#endif
