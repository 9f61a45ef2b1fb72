/*
 * check.h - what the semantics programs share: a check that speaks, and whose malloc this is.
 *
 * A program ends with 0 or at its first failed check with 1 and one line on stderr. All but
 * those that ask on_stitchmalloc() test what glibc does too, and pass without the preload;
 * that is how they are checked themselves.
 */
#ifndef SEMANTICS_CHECK_H
#define SEMANTICS_CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition, ...) \
	do { \
		if (!(condition)) \
			check_failed(__FILE__, __LINE__, #condition, __VA_ARGS__); \
	} while (0)

/* write(2) and a buffer of our own: the heap may be what is broken. */
static void __attribute__((format(printf, 4, 5), noreturn, unused))
check_failed(const char *file, int line, const char *condition, const char *format, ...)
{
	char text[512];
	va_list args;
	int length = snprintf(text, sizeof(text), "%s:%d: failed: %s: ", file, line, condition);

	va_start(args, format);
	length += vsnprintf(text + length, sizeof(text) - (size_t)length, format, args);
	va_end(args);
	if (length > (int)sizeof(text) - 2)
		length = (int)sizeof(text) - 2;
	text[length++] = '\n';
	if (write(2, text, (size_t)length) < 0)
		_exit(2);
	_exit(1);
}

static inline bool on_stitchmalloc(void)
{
	return dlsym(RTLD_DEFAULT, "stitch_version") != NULL;
}

/* The compiler must not know where a pointer came from, or that nobody looks at it. */
static inline void *launder(void *pointer)
{
	__asm__ volatile("" : "+r"(pointer) : : "memory");
	return pointer;
}

/* A size that the compiler does not know, so that it does not refuse the absurd ones. */
static inline size_t opaque(size_t bytes)
{
	__asm__ volatile("" : "+r"(bytes));
	return bytes;
}

static inline bool all_bytes_are(const void *memory, unsigned char byte, size_t bytes)
{
	const unsigned char *at = (const unsigned char *)memory;

	return !bytes || (at[0] == byte && !memcmp(at, at + 1, bytes - 1));
}

/* Sizes around every boundary that an allocator may have, up to 16 MiB; 0 ends the list. */
static inline size_t size_after(size_t bytes)
{
	if (bytes < 1100)
		return bytes + 1;
	if (bytes < 20000)
		return bytes + 61;
	if (bytes < ((size_t)4 << 20))
		return bytes + bytes / 5;
	return bytes < ((size_t)16 << 20) ? bytes + bytes / 2 + 1 : 0;
}

#endif
