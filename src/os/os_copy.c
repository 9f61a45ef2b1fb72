/* os_copy.c - see os_copy.h. */
#include <asm/errno.h>
#include <asm/unistd.h>
#include <linux/mman.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/wait.h>

#include "os/os.h"
#include "os/os_copy.h"
#include "os/syscall.h"

/* Exit signal 0, the low byte of the flags. */
int os_copy_process(void)
{
	return (int)syscall6(__NR_clone, CLONE_UNTRACED, 0, 0, 0, 0, 0);
}

int os_wait_for_copy(int pid, bool wait)
{
	long ret = syscall6(__NR_wait4, pid, 0, __WCLONE | (wait ? 0 : WNOHANG), 0, 0, 0);

	if (is_error(ret))
		return (int)ret;
	return ret == pid ? 0 : -EAGAIN;
}

static void close_range(unsigned int first, unsigned int last)
{
	if (first <= last)
		syscall3(__NR_close_range, first, last, 0);
}

/* To the kernel a limit of 1 byte is no core at all, also where cores go into a pipe. */
void os_copy_begins(int kept)
{
	struct rlimit64 limit = { 1, 1 };

	syscall6(__NR_prlimit64, 0, RLIMIT_CORE, (long)&limit, 0, 0, 0);
	if (kept > 0)
		close_range(0, (unsigned int)kept - 1);
	close_range((unsigned int)(kept + 1), ~0u);
}

int os_map_shared(size_t bytes, void **address)
{
	long ret = syscall6(__NR_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (is_error(ret))
		return (int)ret;
	*address = (void *)ret;
	return 0;
}
