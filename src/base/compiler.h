/*
 * compiler.h - the C dialect of the project: hints, checked accesses, constants.
 *
 * L0. Freestanding headers only; no system calls, no locks, no printing.
 */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if !defined(__x86_64__) || !defined(__linux__)
#error "stitchmalloc runs on x86-64 Linux only (4 KiB pages, System V ABI)"
#endif

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Out of line and laid out away from the hot code. */
#define __slow __attribute__((noinline, cold))
#define __inline_always inline __attribute__((always_inline))
#define __visible __attribute__((visibility("default")))
#define __hidden __attribute__((visibility("hidden"))) /* read without the GOT */
#define __cacheline_aligned __attribute__((aligned(CACHE_LINE)))
#define __printf_like(fmt, args) __attribute__((format(printf, fmt, args)))
#define __tls_initial_exec __attribute__((tls_model("initial-exec")))

/*
 * Build switches are always 0 or 1 and are used in C `if`, so that the dead branch
 * is still compiled. CMake defines them; these are the values of a bare build.
 */
#ifndef CONFIG_DEBUG
#define CONFIG_DEBUG 0
#endif
#ifndef CONFIG_LEAKS
#define CONFIG_LEAKS 1
#endif
#ifndef CONFIG_SYMBOLISE
#define CONFIG_SYMBOLISE 0
#endif

/* One access that is neither torn, repeated nor elided, and is no data race. Orders nothing. */
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)

/* The compiler keeps the order of what is before and behind; x86 keeps that of stores. */
#define barrier() atomic_signal_fence(memory_order_seq_cst)

/* The compiler may not know where the value comes from, and so keeps it in a register as it is. */
#define OPTIMIZER_HIDE_VAR(var) __asm__("" : "+r"(var))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define CACHE_LINE 64u /* x86-64 */

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)
#define GIB(n) ((size_t)(n) << 30)
#define TIB(n) ((size_t)(n) << 40)

static inline void cpu_relax(void)
{
	__builtin_ia32_pause();
}

/* Of no other thread, nor 0, and the same in a child that is forked by it. */
static inline uintptr_t this_thread(void)
{
	return (uintptr_t)__builtin_thread_pointer();
}

#endif
