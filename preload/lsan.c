/*
 * lsan.c - the annotations of sanitizer/lsan_interface.h, for programs that have them already.
 *
 * L10. Weak: a sanitizer's own functions come first where it is linked in; where it is a library
 * behind us, and while nothing is asked of us, calls are passed on to it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif
#include <dlfcn.h>

#include "core/params.h"
#include "debug/leak_notes.h"
#include "entry.h"

#if !STITCH_PREFIX

#define __annotation __visible __attribute__((weak))

void __lsan_ignore_object(const void *object);
void __lsan_disable(void);
void __lsan_enable(void);
void __lsan_register_root_region(const void *start, size_t bytes);
void __lsan_unregister_root_region(const void *start, size_t bytes);
void __lsan_do_leak_check(void);
int __lsan_do_recoverable_leak_check(void);

/*
 * Whose call it is when it is not ours; NULL: nobody's. Sanitizers call these themselves amid
 * dlsym, when nothing is lost by a pair of calls that goes nowhere.
 */
static void *next_function(const char *name)
{
	/* volatile: the compiler believes that dlsym calls nothing here. */
	static _Thread_local volatile bool is_looking __tls_initial_exec;
	void *next;

	if (params.leaks || is_looking)
		return NULL;
	is_looking = true;
	next = dlsym(RTLD_NEXT, name);
	is_looking = false;
	return next;
}

__annotation void __lsan_ignore_object(const void *object)
{
	void (*next)(const void *) = (__typeof__(next))next_function("__lsan_ignore_object");

	if (next)
		next(object);
	else if (params.leaks)
		leak_note_ignored(object);
}

__annotation void __lsan_disable(void)
{
	void (*next)(void) = (__typeof__(next))next_function("__lsan_disable");

	if (next)
		next();
	else
		leak_ignore_begin();
}

__annotation void __lsan_enable(void)
{
	void (*next)(void) = (__typeof__(next))next_function("__lsan_enable");

	if (next)
		next();
	else
		leak_ignore_end();
}

__annotation void __lsan_register_root_region(const void *start, size_t bytes)
{
	void (*next)(const void *, size_t) =
		(__typeof__(next))next_function("__lsan_register_root_region");

	if (next)
		next(start, bytes);
	else
		leak_note_region((uintptr_t)start, (uintptr_t)start + bytes);
}

__annotation void __lsan_unregister_root_region(const void *start, size_t bytes)
{
	void (*next)(const void *, size_t) =
		(__typeof__(next))next_function("__lsan_unregister_root_region");

	if (next)
		next(start, bytes);
	else
		leak_forget_region((uintptr_t)start, (uintptr_t)start + bytes);
}

/* Now, and not at exit any more; the process ends if there are leaks and exitcode= wants that. */
__annotation void __lsan_do_leak_check(void)
{
	void (*next)(void) = (__typeof__(next))next_function("__lsan_do_leak_check");

	if (next)
		next();
	else
		exit_check_leaks_now();
}

/* Now, and again at exit. */
__annotation int __lsan_do_recoverable_leak_check(void)
{
	int (*next)(void) = (__typeof__(next))next_function("__lsan_do_recoverable_leak_check");

	return next ? next() : exit_look_for_leaks();
}
#endif
