/*
 * foreign.c - pointers that are not ours: hand them to the allocator behind us.
 *
 * L10. They come from modules opened with RTLD_DEEPBIND and from libraries with an allocator of
 * their own, which reach libc's malloc past us and our free with its result. The pointer is never
 * looked through. The next allocator's functions are found at the first foreign pointer, not
 * before: looking for them at start would enter libc too early. A search that succeeds
 * allocates nothing, and no lock of ours is held, so one that fails may allocate from us.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "core/hooks.h"
#include "core/params.h"
#include "core/printk.h"
#include "entry.h"

/* Found once; threads that race find the same. */
static void *next_function(_Atomic(void *) *slot, const char *name, const void *object)
{
	void *function = atomic_load_explicit(slot, memory_order_relaxed);

	if (likely(function))
		return function;
	function = dlsym(RTLD_NEXT, name);
	if (!function)
		panic("%s(): foreign pointer %p (no other allocator)", name, object);
	atomic_store_explicit(slot, function, memory_order_relaxed);
	return function;
}

/* Apply the option foreign= to one call. */
static void foreign_check(const char *name, const void *object)
{
	if (params.foreign == FOREIGN_ABORT)
		panic("%s(): foreign pointer %p (not of this heap)", name, object);
	if (params.foreign == FOREIGN_WARN)
		pr_err("%s(): foreign pointer %p (handed to the next allocator)", name, object);
}

/* Under the prefix the test program's libc is the next allocator. */
#if STITCH_PREFIX
#define NEXT(name, object) ((void)next_function, name)
#else
#define NEXT(name, object) \
	((__typeof__(&(name)))next_function(&next_##name, #name, object))
static _Atomic(void *) next_free, next_realloc, next_malloc_usable_size;
#endif

static void foreign_free(void *object)
{
	int saved_errno = errno;

	foreign_check("free", object);
	NEXT(free, object)(object);
	errno = saved_errno;
}

static void *foreign_realloc(void *object, size_t bytes)
{
	foreign_check("realloc", object);
	return NEXT(realloc, object)(object, bytes);
}

static size_t foreign_usable_size(const void *object)
{
	foreign_check("malloc_usable_size", object);
	return NEXT(malloc_usable_size, object)((void *)(uintptr_t)object);
}

/* By every thread that finds no heap: all store the same. */
void foreign_install(void)
{
	WRITE_ONCE(foreign_ops.free, foreign_free);
	WRITE_ONCE(foreign_ops.realloc, foreign_realloc);
	WRITE_ONCE(foreign_ops.usable_size, foreign_usable_size);
}
