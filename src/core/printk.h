/*
 * printk.h - one-line messages to file descriptor 2, and the end of the process.
 *
 * L2. Never allocates, never takes a lock, keeps errno: callable from anywhere. A line is at
 * most 512 bytes, prefixed "stitchmalloc: ", and leaves in one write. What is printed unasked
 * must be fatal or asked for (src/README.md, Silent).
 */
#ifndef CORE_PRINTK_H
#define CORE_PRINTK_H

#include "base/compiler.h"

/* `format` is without prefix and newline. */
void pr_err(const char *format, ...) __printf_like(1, 2);

/* pr_err, then SIGABRT. */
_Noreturn void panic(const char *format, ...) __printf_like(1, 2);

/* An invariant of ours is broken: always checked, says where, never returns. */
#define BUG_ON(condition) \
	do { \
		if (unlikely(condition)) \
			panic("BUG at %s:%d: %s", __FILE_NAME__, __LINE__, #condition); \
	} while (0)

/* The same, in debug builds only; the condition is compiled in every build. */
#define VM_BUG_ON(condition) \
	do { \
		if (CONFIG_DEBUG) \
			BUG_ON(condition); \
	} while (0)

#endif
