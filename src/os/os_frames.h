/*
 * os_frames.h - the contract of page frames that are in no address space until they are mapped.
 *
 * L1. As os.h: 0 or -errno, errno untouched, offsets, addresses and lengths page-aligned, not 0.
 *
 * The frames are those of a file in memory (memfd_create), a descriptor with a high number. A
 * child has it, too, and with it the same frames.
 */
#ifndef OS_OS_FRAMES_H
#define OS_OS_FRAMES_H

#include "base/compiler.h"

/*
 * Room for `bytes` bytes of frames, none of which is there yet. The descriptor, or -errno: -EFBIG
 * where RLIMIT_FSIZE forbids it; -ENOSYS, -EPERM under a filter.
 */
int os_frames_open(size_t bytes);
void os_frames_close(int frames);

/*
 * Every page of the range has a frame afterwards; new ones are zero. -ENOSPC, -ENOMEM: no memory.
 */
int os_frames_fill(int frames, size_t offset, size_t bytes);

/* The range has no frames any more. */
int os_frames_drop(int frames, size_t offset, size_t bytes);

/* Map the range at an address of ours, in place of what is there. */
int os_frames_map(int frames, size_t offset, void *address, size_t bytes, bool writable);

/* RLIMIT_FSIZE; SIZE_MAX: none. A larger file would get the program a signal. */
size_t os_file_size_limit(void);

#endif
