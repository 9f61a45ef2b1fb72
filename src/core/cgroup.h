/*
 * cgroup.h - how much memory the process's control groups let it have.
 *
 * L2. Versions 1 and 2, by files that the kernel shows where everybody mounts them, below
 * /sys/fs/cgroup: elsewhere they are not looked for. A process without such files has no limit.
 * Safe before anything is allocated.
 */
#ifndef CORE_CGROUP_H
#define CORE_CGROUP_H

#include "base/compiler.h"

/* The lowest limit of the process's own group and those above it, in bytes; SIZE_MAX: none. */
size_t cgroup_memory_limit(void);

/*
 * The group, or one of those above it, has more than seven eighths of its limit in memory that
 * only its programs can give back: what files are cached in does not count. Reads some files of
 * each group that has a limit; needs 8 KiB of stack.
 */
bool cgroup_is_nearly_full(void);

/*
 * What memory.pressure of the process's own group says (version 2). The text's length, or -errno:
 * there is no such file.
 */
long cgroup_read_pressure(char *text, size_t bytes);

#endif
