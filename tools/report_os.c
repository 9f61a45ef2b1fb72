/* report_os.c - the one system call that core/report.c makes, as the launcher has it. */
#include <errno.h>
#include <unistd.h>

#include "os/os.h"

int os_write(int fd, const void *data, size_t bytes)
{
	const char *next = data;
	ssize_t written;

	for (; bytes; next += written, bytes -= (size_t)written) {
		written = write(fd, next, bytes);
		if (written < 0 && errno == EINTR)
			written = 0;
		else if (written < 0)
			return -errno;
	}
	return 0;
}
