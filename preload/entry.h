/*
 * entry.h - what the files of preload/ share: names of the entry points, their slow halves.
 *
 * L10. With -DSTITCH_PREFIX=1 malloc is called stitch_malloc and so on; __libc_*, the C++ operators
 * and the constructor are left out. Tests link that build beside libc's own malloc.
 */
#ifndef PRELOAD_ENTRY_H
#define PRELOAD_ENTRY_H

#include "base/compiler.h"
#include "core/memcheck.h"
#include "init/kswapd.h"
#include "init/mm_init.h"
#include "kmalloc/shrinker.h"
#include "mm/zone.h"
#include "slab/sheaf.h"

#ifndef STITCH_PREFIX
#define STITCH_PREFIX 0
#endif
#if STITCH_PREFIX
#define ENTRY(name) stitch_##name
#else
#define ENTRY(name) name
#endif

/* malloc.c. These, like the entry points, set errno to ENOMEM with NULL and else keep it. */
void *malloc_miss(size_t bytes);
void *memalign_slow(size_t align, size_t bytes);
void free_slow(void *object);

/* The fast paths; in builds for Valgrind every call takes its slow half (marked.h). */
static __inline_always void *malloc_fast(size_t bytes)
{
	return CONFIG_VALGRIND ? NULL : sheaf_malloc(bytes);
}

static __inline_always bool free_fast(void *object)
{
	return !CONFIG_VALGRIND && sheaf_free(object);
}

static __inline_always void *malloc_inline(size_t bytes)
{
	void *object = malloc_fast(bytes);

	if (likely(object))
		return object;
	return malloc_miss(bytes);
}

static __inline_always void free_inline(void *object)
{
	if (likely(free_fast(object)))
		return;
	free_slow(object);
}

/* init.c: boot at the first call, whoever makes it. */
bool heap_boot(void);

/* False: there is no heap to be had. Everything below L10 wants this to have been true once. */
static inline bool heap_ready(void)
{
	return likely(atomic_load_explicit(&mm_state, memory_order_acquire) == MM_UP) ||
	       heap_boot();
}

/* The calling thread has just got its heap slot: see to it that the slot is left at its exit. */
void thread_register(void);

/*
 * After every call that may have given the thread its heap slot. had_slot is what was true
 * before the call, so that a thread registers once and never after it has left its slot.
 */
static inline void thread_settle(bool had_slot)
{
	if (unlikely(!had_slot && mm_thread_has_slot()))
		thread_register();
}

/* background.c: at the start; in the child of a fork; by who has just allocated. */
void background_arm(void);
void background_after_fork(void);
void background_start(void);

/* The program's functions are called with its errno and cancellation kept (core/hooks.h). */
void program_state_use(void);

/* After every allocation by a slow path that may wait, outside the gate: a soft limit. */
static inline void relief_consider(stitch_gfp_t flags)
{
	if (shrinkers_are_there() && zone_is_crowded() && !kswapd_wake() &&
	    !(flags & STITCH__GFP_NORETRY))
		shrinkers_relieve(flags);
}

static inline void background_consider(void)
{
	if (!STITCH_PREFIX && unlikely(atomic_load_explicit(&kswapd_state, memory_order_relaxed) ==
				       KSWAPD_WANTED))
		background_start();
}

/*
 * aside.c: the entry points while there is no heap. Allocations fail, with errno, unless the
 * process has a sanitizer's heap, which is then the one that it shall use.
 */
bool another_heap_is_wanted(void);
void *heapless_malloc(size_t bytes);
void *heapless_calloc(size_t bytes);
void *heapless_memalign(size_t align, size_t bytes);
void heapless_free(void *object);
void *heapless_realloc(void *object, size_t bytes);
size_t heapless_usable(void *object);

/* foreign.c: fill the foreign_ops of core/hooks.h. */
void foreign_install(void);

/* exit.c: at the start; in the child of a fork. */
void exit_arm(void);
void exit_after_fork(void);
/* A leak check now. The first returns whether there are any; the second is the last one. */
int exit_look_for_leaks(void);
void exit_check_leaks_now(void);

/*
 * The parts of a check. One thread at a time looks: exit_look waits for another, some seconds at
 * most, then returns false. exit_begin_copy: in a copy of the process, of whose descriptors only
 * stderr is kept.
 */
struct leak_check;
bool exit_look(struct leak_check *check);
void exit_add_rules(void);
void exit_begin_copy(void);

/* demand.c: at the start; in the child of a fork. */
void demand_arm(void);
void demand_after_fork(void);

/* info.c: what malloc_stats prints, to a file descriptor. */
void usage_print(int fd);

#endif
