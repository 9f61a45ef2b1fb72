/* os_fd.c - see os_fd.h. */
#include "os/os_fd.h"

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/resource.h>

#include "base/math.h"

/* Within what is allowed. */
#define HIGH_FD 900u

void os_close_fd(long fd)
{
	syscall3(__NR_close, fd, 0, 0);
}

static long highest_fd(void)
{
	struct rlimit64 limit;

	if (syscall6(__NR_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0))
		return 0;
	return (long)min_size(limit.rlim_cur / 2, HIGH_FD);
}

long os_raise_fd(long fd)
{
	long raised = syscall3(__NR_fcntl, fd, F_DUPFD_CLOEXEC, highest_fd());

	os_close_fd(fd);
	return raised;
}
