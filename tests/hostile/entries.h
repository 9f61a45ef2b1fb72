/*
 * entries.h - one call of each exported function, by its name; C and C++.
 *
 * entry_call() makes the call and then looks at its answer, so that whatever comes before, the
 * named function is what a process, a thread or the last moment of either meets. A function
 * that is exported and not listed here is a failure of tests/hostile/first_and_last.py.
 */
#ifndef HOSTILE_ENTRIES_H
#define HOSTILE_ENTRIES_H

#include "semantics/check.h"

#include <sys/wait.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif
#define LATER __attribute__((weak)) /* not in libc, or not in the C library */

extern void free_sized(void *, size_t) LATER;
extern void free_aligned_sized(void *, size_t, size_t) LATER;
extern void cfree(void *) LATER;
extern const char *stitch_version(void) LATER;
extern const char *__asan_default_options(void) LATER;
extern long stitch_leak_scan(unsigned int) LATER;
extern const uint64_t stitch_remote LATER;
extern const uint64_t stitch_proc_root LATER;
extern void __lsan_ignore_object(const void *) LATER;
extern void __lsan_disable(void) LATER;
extern void __lsan_enable(void) LATER;
extern void __lsan_register_root_region(const void *, size_t) LATER;
extern void __lsan_unregister_root_region(const void *, size_t) LATER;
extern void __lsan_do_leak_check(void) LATER;
extern int __lsan_do_recoverable_leak_check(void) LATER;
extern void *__libc_malloc(size_t) LATER;
extern void __libc_free(void *) LATER;
extern void *__libc_calloc(size_t, size_t) LATER;
extern void *__libc_realloc(void *, size_t) LATER;
extern void *__libc_memalign(size_t, size_t) LATER;
extern void *__libc_valloc(size_t) LATER;
extern void *__libc_pvalloc(size_t) LATER;
extern void __libc_cfree(void *) LATER;
extern int __posix_memalign(void **, size_t, size_t) LATER;
extern void *_Znwm(size_t) LATER;
extern void *_Znam(size_t) LATER;
extern void *_ZnwmRKSt9nothrow_t(size_t, const void *) LATER;
extern void *_ZnamRKSt9nothrow_t(size_t, const void *) LATER;
extern void *_ZnwmSt11align_val_t(size_t, size_t) LATER;
extern void *_ZnamSt11align_val_t(size_t, size_t) LATER;
extern void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t, size_t, const void *) LATER;
extern void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t, size_t, const void *) LATER;
extern void _ZdlPv(void *) LATER;
extern void _ZdaPv(void *) LATER;
extern void _ZdlPvm(void *, size_t) LATER;
extern void _ZdaPvm(void *, size_t) LATER;
extern void _ZdlPvRKSt9nothrow_t(void *, const void *) LATER;
extern void _ZdaPvRKSt9nothrow_t(void *, const void *) LATER;
extern void _ZdlPvSt11align_val_t(void *, size_t) LATER;
extern void _ZdaPvSt11align_val_t(void *, size_t) LATER;
extern void _ZdlPvmSt11align_val_t(void *, size_t, size_t) LATER;
extern void _ZdaPvmSt11align_val_t(void *, size_t, size_t) LATER;
extern void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *, size_t, const void *) LATER;
extern void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *, size_t, const void *) LATER;
#ifdef __cplusplus
}
#endif

/* A block may be written to, and can be resized and freed. */
static inline void block_is_good(const char *name, void *memory, size_t align, size_t bytes)
{
	unsigned char *block = (unsigned char *)memory;

	CHECK(block && !((uintptr_t)block % align), "%s: %p", name, memory);
	CHECK(malloc_usable_size(block) >= bytes, "%s: usable size", name);
	memset(block, 0x5a, bytes);
	block = (unsigned char *)realloc(block, 70000);
	CHECK(block && all_bytes_are(block, 0x5a, bytes), "%s: contents", name);
	free(block);
}

static inline void *entry_align(void **block, int error)
{
	return error ? NULL : *block;
}

/* Each line: is it this name? Then this expression is the call, and its answer a good block. */
#define GIVES(function, align, call) \
	if (!strcmp(name, #function)) { \
		block_is_good(name, call, align, 100); \
		return true; \
	}
/* The same for functions without a block, whose answer is told by a condition. */
#define SAYS(function, condition) \
	if (!strcmp(name, #function)) { \
		CHECK(condition, "%s", name); \
		return true; \
	}

#include "hostile/entries_cache.h"
#include "hostile/entries_cma.h"
#include "hostile/entries_devm.h"
#include "hostile/entries_kmalloc.h"
#include "hostile/entries_memcontrol.h"
#include "hostile/entries_pages.h"
#include "hostile/entries_report.h"
#include "hostile/entries_shrinker.h"

static inline bool entry_call_new(const char *name)
{
	static const char tag = 0;

	GIVES(_Znwm, 16, _Znwm(100))
	GIVES(_Znam, 16, _Znam(100))
	GIVES(_ZnwmRKSt9nothrow_t, 16, _ZnwmRKSt9nothrow_t(100, &tag))
	GIVES(_ZnamRKSt9nothrow_t, 16, _ZnamRKSt9nothrow_t(100, &tag))
	GIVES(_ZnwmSt11align_val_t, 128, _ZnwmSt11align_val_t(100, 128))
	GIVES(_ZnamSt11align_val_t, 128, _ZnamSt11align_val_t(100, 128))
	GIVES(_ZnwmSt11align_val_tRKSt9nothrow_t, 128,
	      _ZnwmSt11align_val_tRKSt9nothrow_t(100, 128, &tag))
	GIVES(_ZnamSt11align_val_tRKSt9nothrow_t, 128,
	      _ZnamSt11align_val_tRKSt9nothrow_t(100, 128, &tag))
	return false;
}

/* The block: NULL as the first call, which is all that a first free can have; else a real one. */
static inline bool entry_call_delete(const char *name, void *block)
{
	static const char tag = 0;

	SAYS(_ZdlPv, (_ZdlPv(block), true))
	SAYS(_ZdaPv, (_ZdaPv(block), true))
	SAYS(_ZdlPvm, (_ZdlPvm(block, 100), true))
	SAYS(_ZdaPvm, (_ZdaPvm(block, 100), true))
	SAYS(_ZdlPvRKSt9nothrow_t, (_ZdlPvRKSt9nothrow_t(block, &tag), true))
	SAYS(_ZdaPvRKSt9nothrow_t, (_ZdaPvRKSt9nothrow_t(block, &tag), true))
	SAYS(_ZdlPvSt11align_val_t, (_ZdlPvSt11align_val_t(block, 16), true))
	SAYS(_ZdaPvSt11align_val_t, (_ZdaPvSt11align_val_t(block, 16), true))
	SAYS(_ZdlPvmSt11align_val_t, (_ZdlPvmSt11align_val_t(block, 100, 16), true))
	SAYS(_ZdaPvmSt11align_val_t, (_ZdaPvmSt11align_val_t(block, 100, 16), true))
	SAYS(_ZdlPvSt11align_val_tRKSt9nothrow_t,
	     (_ZdlPvSt11align_val_tRKSt9nothrow_t(block, 16, &tag), true))
	SAYS(_ZdaPvSt11align_val_tRKSt9nothrow_t,
	     (_ZdaPvSt11align_val_tRKSt9nothrow_t(block, 16, &tag), true))
	SAYS(free, (free(block), true))
	SAYS(cfree, (cfree(block), true))
	SAYS(__libc_free, (__libc_free(block), true))
	SAYS(__libc_cfree, (__libc_cfree(block), true))
	SAYS(free_sized, (free_sized(block, 100), true))
	SAYS(free_aligned_sized, (free_aligned_sized(block, 16, 100), true))
	return false;
}

static inline bool entry_call_second_names(const char *name)
{
	void *block = NULL;

	GIVES(__libc_malloc, 16, __libc_malloc(100))
	GIVES(__libc_calloc, 16, __libc_calloc(10, 10))
	GIVES(__libc_realloc, 16, __libc_realloc(NULL, 100))
	GIVES(__libc_memalign, 256, __libc_memalign(256, 100))
	GIVES(__libc_valloc, 4096, __libc_valloc(100))
	GIVES(__libc_pvalloc, 4096, __libc_pvalloc(100))
	GIVES(__posix_memalign, 64, entry_align(&block, __posix_memalign(&block, 64, 100)))
	return false;
}

/* malloc_info wants a FILE, which libc allocates: the call is the first of ours all the same. */
static inline bool entry_call_info(const char *name)
{
	FILE *null;

	SAYS(malloc_usable_size, !malloc_usable_size(NULL))
	SAYS(mallinfo, mallinfo().arena >= 0)
	SAYS(mallinfo2, mallinfo2().uordblks < 1u << 30)
	SAYS(malloc_stats, (malloc_stats(), true))
	SAYS(malloc_trim, malloc_trim(0) >= 0)
	SAYS(mallopt, mallopt(M_ARENA_MAX, 1) == 1)
	SAYS(stitch_version, stitch_version()[0])
	SAYS(__asan_default_options, __asan_default_options()[0])
	if (strcmp(name, "malloc_info"))
		return false;
	null = fopen("/dev/null", "w");
	CHECK(null && !malloc_info(0, null) && !fclose(null), "malloc_info");
	return true;
}

static inline bool entry_call_leaks(const char *name)
{
	static char region[64];

	SAYS(__lsan_ignore_object, (__lsan_ignore_object(region), true))
	SAYS(__lsan_disable, (__lsan_disable(), __lsan_enable(), true))
	SAYS(__lsan_enable, (__lsan_enable(), true))
	SAYS(__lsan_register_root_region, (__lsan_register_root_region(region, 64), true))
	SAYS(__lsan_unregister_root_region, (__lsan_unregister_root_region(region, 64), true))
	SAYS(__lsan_do_leak_check, (__lsan_do_leak_check(), true))
	SAYS(__lsan_do_recoverable_leak_check, !__lsan_do_recoverable_leak_check())
	SAYS(stitch_leak_scan, stitch_leak_scan(4) >= 0) /* quietly */
	SAYS(stitch_remote, stitch_remote >> 32 == 0x53544348) /* no function: a table */
	SAYS(stitch_proc_root, stitch_proc_root >> 32 == 0x53544350)
	return false;
}

/* In a child: these do not come back. */
static inline bool ends_with(void (*end)(int))
{
	pid_t child = fork();
	int status = 0;

	if (!child)
		end(7);
	return child > 0 && waitpid(child, &status, 0) == child && status == 7 << 8;
}

static inline bool entry_call_end(const char *name)
{
	SAYS(_exit, ends_with(_exit))
	SAYS(_Exit, ends_with(_Exit))
	return false;
}

/* Calls the function of this name. False: there is none here. */
static inline bool entry_call(const char *name, void *to_free)
{
	void *block = NULL;

	GIVES(malloc, 16, malloc(100))
	GIVES(calloc, 16, calloc(10, 10))
	GIVES(realloc, 16, realloc(NULL, 100))
	GIVES(reallocarray, 16, reallocarray(NULL, 10, 10))
	GIVES(posix_memalign, 64, entry_align(&block, posix_memalign(&block, 64, 100)))
	GIVES(aligned_alloc, 64, aligned_alloc(64, 128))
	GIVES(memalign, 64, memalign(64, 100))
	GIVES(valloc, 4096, valloc(100))
	GIVES(pvalloc, 4096, pvalloc(100))
	return entry_call_second_names(name) || entry_call_info(name) || entry_call_new(name) ||
	       entry_call_delete(name, to_free) || entry_call_leaks(name) || entry_call_end(name) ||
	       entry_call_cache(name) || entry_call_kmalloc(name) || entry_call_pages(name) ||
	       entry_call_pools(name) || entry_call_report(name) || entry_call_devm(name) ||
	       entry_call_shrinker(name) || entry_call_cma(name) ||
	       entry_call_memcontrol(name);
}

#undef GIVES
#undef SAYS
#undef LATER
#endif
