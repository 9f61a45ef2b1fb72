/*
 * printk.c - one line to file descriptor 2 in one write.
 *
 * L2. Uses base/format and os/ only: no locks, no allocation, no libc state.
 */
#include <string.h>

#include "base/format.h"
#include "base/math.h"
#include "core/printk.h"
#include "os/os.h"

#define STDERR_FD 2
#define LINE_BYTES 512u

static void print_line(const char *format, va_list args)
{
	static const char prefix[] = "stitchmalloc: ";
	char line[LINE_BYTES];
	size_t length = sizeof(prefix) - 1;

	memcpy(line, prefix, length);
	/* Room for the newline stays free: the terminator is overwritten by it. */
	length += format_text_v(line + length, LINE_BYTES - length, format, args);
	length = min_size(length, LINE_BYTES - 1);
	/* Text of the program (option values) must not make two lines of one. */
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	}
	line[length++] = '\n';
	os_write(STDERR_FD, line, length);
}

void pr_err(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(format, args);
	va_end(args);
}

_Noreturn void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(format, args);
	va_end(args);
	os_abort();
}
