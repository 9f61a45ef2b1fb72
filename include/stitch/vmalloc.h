/*
 * vmalloc.h - memory that need not be contiguous for the machine (include/linux/vmalloc.h).
 *
 * Any thread may call; all of it may sleep: not for signal handlers.
 */
#ifndef STITCH_VMALLOC_H
#define STITCH_VMALLOC_H

#include <stddef.h>

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

#ifdef __cplusplus
}
#endif

#endif
