/* kept_stderr.c - see kept_stderr.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "kept_stderr.h"

#include <stdarg.h>
#include <string.h>

#include "base/format.h"
#include "base/math.h"
#include "entry.h"
#include "os/os.h"
#include "os/os_proc.h"

#if !STITCH_PREFIX

#define LINE_BYTES 4352u /* a path, and what is said of it */

static bool is_kept;
static int kept_fd = -1;
static struct os_file kept_file;

void keep_stderr(void)
{
	is_kept = true;
	kept_fd = os_duplicate_fd(2, 100);
	if (kept_fd < 0) /* few descriptors are allowed */
		kept_fd = os_duplicate_fd(2, 3);
	if (kept_fd >= 0 && os_file_of(kept_fd, &kept_file)) {
		os_close(kept_fd);
		kept_fd = -1;
	}
}

static bool is_kept_file(int fd)
{
	struct os_file now;

	return fd >= 0 && !os_file_of(fd, &now) && now.inode == kept_file.inode &&
	       now.device == kept_file.device;
}

int kept_stderr(void)
{
	if (kept_fd < 0)
		return is_kept ? -1 : 2;
	return is_kept_file(kept_fd) ? kept_fd : is_kept_file(2) ? 2 : -1;
}

void complain(const char *format, ...)
{
	static char line[LINE_BYTES]; /* stacks may be small; one thread at a time looks */
	size_t length = format_text(line, sizeof(line), "stitchmalloc: ");
	va_list args;

	va_start(args, format);
	length += format_text_v(line + length, sizeof(line) - length - 1, format, args);
	va_end(args);
	length = min_size(length, sizeof(line) - 2);
	line[length] = '\n';
	if (kept_stderr() >= 0)
		os_write(kept_stderr(), line, length + 1);
}

const char *reason_of(int error)
{
	const char *text = strerrordesc_np(error);

	return text ? text : "unknown error";
}
#endif
