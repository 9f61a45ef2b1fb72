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

#endif
