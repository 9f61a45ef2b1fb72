/*
 * os_copy.h - the contract of a copy of the process that looks at what the process is at one
 * moment, while the process goes on.
 *
 * L1. As os.h: 0, a number where said, or -errno; errno untouched. The copy is a child that sends
 * no signal when it ends and that wait() does not see without __WCLONE or __WALL, so that the
 * program never meets it. No handlers of fork run. A debugger that follows children does not follow
 * it.
 */
#ifndef OS_OS_COPY_H
#define OS_OS_COPY_H

#include "base/compiler.h"

/* Only the calling thread is copied. 0 in the copy; its process id; -EPERM or -ENOSYS: a filter. */
int os_copy_process(void);

/*
 * Has the copy ended? Waits for that if asked to. -EAGAIN: it has not; -EINTR; -ECHILD: somebody
 * else has been told so.
 */
int os_wait_for_copy(int pid, bool wait);

/*
 * In the copy: leave nobody to wait for it. All descriptors but `kept` (-1: none) are closed, and
 * should the copy crash it leaves no core file.
 */
void os_copy_begins(int kept);

/* Memory that copies share with the process, without swap accounting where that can be had. */
int os_map_shared(size_t bytes, void **address);

#endif
