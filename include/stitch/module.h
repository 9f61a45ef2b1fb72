/*
 * module.h - so much of the kernel around a module as a small one uses: to build it, unchanged
 * but for the includes, as an ordinary program that loads it and unloads it again.
 *
 *	module_init(start);	called first; not 0: the program ends with status 1
 *	module_exit(stop);	called then
 *
 * For one source file of a program: this header has main(). C, x86-64.
 */
#ifndef STITCH_MODULE_H
#define STITCH_MODULE_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "stitch/kernel.h"
#include "stitch/report.h"

#define __init
#define __exit
#define EXPORT_SYMBOL(name) _Static_assert(sizeof(name) > 0, "")
#define STITCH_NOTE(text) _Static_assert(sizeof(text) > 0, "")
#define MODULE_LICENSE STITCH_NOTE
#define MODULE_AUTHOR STITCH_NOTE
#define MODULE_DESCRIPTION STITCH_NOTE

/*
 * --- printk: to standard output ----------------------------------------------------------------
 */

#define KERN_EMERG "<0>"
#define KERN_ALERT "<1>"
#define KERN_CRIT "<2>"
#define KERN_ERR "<3>"
#define KERN_WARNING "<4>"
#define KERN_NOTICE "<5>"
#define KERN_INFO "<6>"
#define KERN_DEBUG "<7>"

/* The level in front is left out. */
static inline int __attribute__((format(printf, 1, 2))) printk(const char *format, ...)
{
	va_list args;
	int length;

	if (format[0] == '<' && format[1] && format[2] == '>')
		format += 3;
	va_start(args, format);
	length = vprintf(format, args);
	va_end(args);
	return length;
}

#define BUG_ON(condition) ((condition) ? abort() : (void)0)
#define WARN_ON(condition) \
	((condition) ? printk(KERN_WARNING "WARNING: %s:%d: %s\n", __FILE__, __LINE__, #condition) \
		     : 0)
#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/*
 * --- time and memory ---------------------------------------------------------------------------
 */

#define HZ 1000ul
/* Milliseconds of the monotonic clock. */
static inline unsigned long stitch_jiffies(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long)now.tv_sec * HZ + (unsigned long)now.tv_nsec / (1000000000ul / HZ);
}
#define jiffies stitch_jiffies()

/* The processor's time stamp counter. */
#define rdtscl(low) ((low) = (unsigned long)__rdtsc())
#define rdtscll(value) ((value) = __rdtsc())

#define sysinfo stitch_sysinfo /* struct sysinfo, not that of <sys/sysinfo.h> */
#define si_meminfo stitch_si_meminfo

/*
 * --- loading -----------------------------------------------------------------------------------
 */

static int (*stitch_module_init)(void) __attribute__((unused));
static void (*stitch_module_exit)(void) __attribute__((unused));

#define module_init(start) \
	static void __attribute__((constructor)) stitch_note_init(void) \
	{ \
		stitch_module_init = start; \
	} \
	_Static_assert(sizeof(&(start)) > 0, "")
#define module_exit(stop) \
	static void __attribute__((constructor)) stitch_note_exit(void) \
	{ \
		stitch_module_exit = stop; \
	} \
	_Static_assert(sizeof(&(stop)) > 0, "")

int main(void)
{
	if (stitch_module_init && stitch_module_init())
		return 1;
	if (stitch_module_exit)
		stitch_module_exit();
	return 0;
}

#endif
