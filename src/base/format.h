/*
 * format.h - printf into a caller's buffer, without libc's stdio and without allocating.
 *
 * L0. Knows %s %c %d %i %u %x %X %p %% with the flags '-' and '0', width and precision
 * (also `*`), and the length modifiers l, ll, z, h, hh. %p prints 0x and at least one digit;
 * %s prints (null) for NULL. Anything else is printed as it stands.
 */
#ifndef BASE_FORMAT_H
#define BASE_FORMAT_H

#include <stdarg.h>

#include "base/compiler.h"

/*
 * Like vsnprintf: always terminates (when bytes > 0), returns the length that the whole
 * text would have had.
 */
size_t format_text_v(char *buffer, size_t bytes, const char *format, va_list args);
size_t format_text(char *buffer, size_t bytes, const char *format, ...) __printf_like(3, 4);

/*
 * Read a number with an optional suffix K, M, G or T (powers of 1024, either case, optional
 * trailing B or iB), decimal or 0x-hexadecimal. True when the whole text is one that fits.
 */
bool parse_bytes(const char *text, size_t text_length, uint64_t *value);

#endif
