/*
 * os_fd.h - descriptors that we keep open in somebody else's process.
 *
 * L1. For the files of src/os only.
 */
#ifndef OS_OS_FD_H
#define OS_OS_FD_H

#include "os/syscall.h"

void os_close_fd(long fd);

/*
 * The same descriptor, close-on-exec, under a high number: out of the way of programs that count on
 * the lowest free one. fd is closed in any case. The number, or -errno.
 */
long os_raise_fd(long fd);

#endif
