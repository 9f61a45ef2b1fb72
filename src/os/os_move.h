/*
 * os_move.h - the contract of moving frames from one place of the address space to another.
 *
 * L1. As os.h: 0 or -errno, errno untouched, addresses and lengths page-aligned and not 0.
 *
 * A mover is a descriptor (UFFDIO_MOVE of userfaultfd, Linux 6.8). It belongs to the process that
 * opened it: a child has the number, but can move nothing by it.
 */
#ifndef OS_OS_MOVE_H
#define OS_OS_MOVE_H

#include "base/compiler.h"

/* Is there something that pages can be swapped out to? */
enum os_swap {
	OS_SWAP_NONE,
	OS_SWAP_SAFE,
	OS_SWAP_LOSES, /* moving a page that is just being swapped in could lose it (before 6.16) */
};
enum os_swap os_swap(void);

/*
 * Huge pages can be moved as wholes without danger: before 6.17 the kernel may crash when it is
 * about to move one itself (and not all stable kernels are mended).
 */
bool os_moves_huge_pages(void);

/*
 * A close-on-exec descriptor with a high number, or -errno: -EMFILE; -EPERM under a filter; -EINVAL
 * from a kernel without UFFDIO_MOVE; -EOPNOTSUPP where moving and swapping get in each other's way.
 */
int os_mover_open(void);
void os_mover_close(int mover);

/*
 * Let pages be moved into this range, for as long as the mover is open. Changes nothing for the
 * program: no fault is ever reported to the mover. The range may lie in several mappings, all of
 * them private and anonymous. -EBUSY when the program has registered part of it.
 */
int os_mover_register(int mover, void *address, size_t bytes);

/*
 * Move the frames of [from, from + bytes) to `to`, where there must be none. Both ranges lie in one
 * mapping each. *moved bytes, from the first on, have moved, whatever is returned:
 *
 *	0	all
 *	-EAGAIN	not all: ask again for the rest
 *	-ENOENT	there is no frame at from + *moved (not if `holes`: these are moved, too)
 *	-EEXIST	there is one at to + *moved
 *	-EBUSY	the frame at from + *moved is shared with another process, or pinned
 *	-EBADF, -ENOTTY: the descriptor has been closed, or is another's now
 *
 * or another error. A huge page whose 2 MiB are moved as a whole, from a multiple of 2 MiB to
 * another, stays one; moving less splits it, which takes as long as moving a hundred pages.
 */
int os_move(int mover, void *to, void *from, size_t bytes, bool holes, size_t *moved);

/* 1: part of the range is a huge page; 0: none is; -errno: it cannot be told (Linux 6.7). */
int os_has_huge_page(void *address, size_t bytes);

/* A seccomp filter is in force: a system call that is not a matter of course may kill. */
bool os_is_filtered(void);

/* How many mappings of the process reach into [start, end), or -errno. */
long os_count_maps(uintptr_t start, uintptr_t end);

#endif
