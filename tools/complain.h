/*
 * complain.h - what the commands of the launcher say when they cannot do what was asked.
 */
#ifndef TOOLS_COMPLAIN_H
#define TOOLS_COMPLAIN_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The status of env(1) and its like: the command itself has failed. */
enum { EXIT_IMPOSSIBLE = 125 };

static inline void complain_of(const char *format, va_list args)
	__attribute__((format(printf, 1, 0)));

static inline void complain_of(const char *format, va_list args)
{
	fputs("stitchmalloc: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

static inline int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line on standard error. Returns EXIT_IMPOSSIBLE. */
static inline int complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain_of(format, args);
	va_end(args);
	return EXIT_IMPOSSIBLE;
}

/* For the end of a command. EXIT_SUCCESS: what it has printed has got through. */
static inline int end_of_output(void)
{
	if (fflush(stdout) || ferror(stdout))
		return complain("standard output: %s", strerror(errno));
	return EXIT_SUCCESS;
}

#endif
