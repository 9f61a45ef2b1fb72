/*
 * unwind.c - what a stack of 16 frames costs, by four ways to get it; and what malloc and free cost
 * on such a stack, in the allocator of the process.
 *
 *	unwind stacks
 *	STITCH_CONF=leaks=full LD_PRELOAD=.../libstitchmalloc.so unwind pairs
 *
 * Minimum and median of many short rounds, for others use the machine.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unwind.h>

#if HAVE_LIBUNWIND
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#endif

#include "debug/unwind.h"
#include "frames.h"

#define NR_FRAMES 16u
#define MAX_FRAMES 64u
#define NR_ROUNDS 2000u
#define CALLS_PER_ROUND 100u

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* --- ways to get a stack: how many frames, the caller's first --------------------------------- */

static uintptr_t pcs[MAX_FRAMES];

static __attribute__((noinline)) unsigned int by_table(void)
{
	unsigned int nr = unwind_stack(pcs, MAX_FRAMES);

	__asm__ volatile("" : : : "memory");
	return nr;
}

static unsigned int nr_taken;
/* libunwind has one of the same name. */
static _Unwind_Reason_Code (*libgcc_backtrace)(_Unwind_Trace_Fn function, void *argument);

static bool find_libgcc(void)
{
	void *libgcc = dlopen("libgcc_s.so.1", RTLD_NOW);

	if (libgcc)
		libgcc_backtrace = (__typeof__(libgcc_backtrace))dlsym(libgcc, "_Unwind_Backtrace");
	return libgcc_backtrace;
}

static _Unwind_Reason_Code take(struct _Unwind_Context *context, void *unused)
{
	uintptr_t pc = _Unwind_GetIP(context);

	(void)unused;
	if (!pc || nr_taken == MAX_FRAMES)
		return _URC_NORMAL_STOP;
	pcs[nr_taken++] = pc;
	return _URC_NO_REASON;
}

static __attribute__((noinline)) unsigned int by_libgcc(void)
{
	nr_taken = 0;
	libgcc_backtrace(take, NULL);
	return nr_taken - 1; /* this function */
}

#if HAVE_LIBUNWIND
static __attribute__((noinline)) unsigned int by_libunwind(void)
{
	int nr = unw_backtrace((void **)pcs, MAX_FRAMES);

	__asm__ volatile("" : : : "memory");
	return (unsigned int)nr - 1; /* this function */
}
#endif

/* This program has them, too. */
static __attribute__((noinline)) unsigned int by_frame_pointers(void)
{
	const uintptr_t *frame = __builtin_frame_address(0);
	const uintptr_t *lowest = frame;
	unsigned int nr = 0;

	while (nr < NR_FRAMES && frame >= lowest && !((uintptr_t)frame % sizeof(*frame))) {
		pcs[nr++] = frame[1];
		lowest = frame + 2;
		frame = (const uintptr_t *)frame[0];
	}
	return nr;
}

/* --- measuring -------------------------------------------------------------------------------- */

static unsigned int (*way)(void);
static unsigned int nr_frames;
static double rounds[NR_ROUNDS]; /* ns a call */

static void pair(void)
{
	void *volatile object = malloc(64);

	free(object);
}

static void measure_ways(void)
{
	nr_frames = way();
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		uint64_t start = now_ns();

		for (unsigned int call = 0; call < CALLS_PER_ROUND; call++)
			way();
		rounds[i] = (double)(now_ns() - start) / CALLS_PER_ROUND;
	}
}

static void measure_pairs(void)
{
	nr_frames = by_libgcc() + 1; /* pair */
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		uint64_t start = now_ns();

		for (unsigned int call = 0; call < CALLS_PER_ROUND; call++)
			pair();
		rounds[i] = (double)(now_ns() - start) / CALLS_PER_ROUND;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *what)
{
	qsort(rounds, NR_ROUNDS, sizeof(*rounds), by_value);
	printf("%-16s %2u frames: %8.1f ns, median %8.1f\n", what, nr_frames, rounds[0],
	       rounds[NR_ROUNDS / 2]);
}

/* As deep as makes 16 frames. */
static void measure(const char *what, unsigned int (*how)(void), void (*bottom)(void),
		    int (*call)(unsigned int, void (*)(void)))
{
	unsigned int depth = 1;

	way = how;
	call(depth, bottom);
	if (nr_frames < NR_FRAMES)
		call(depth + NR_FRAMES - nr_frames, bottom);
	print(what);
}

int main(int argc, char **argv)
{
	if (!find_libgcc())
		return 1;
	if (argc > 1 && !strcmp(argv[1], "pairs")) {
		measure("malloc and free", NULL, measure_pairs, call_deep);
		return 0;
	}
	if (!unwind_init())
		return 1;
	/* As if every module had been opened by dlopen, then as if none. */
	unwind_start(false);
	measure("table, checked", by_table, measure_ways, call_deep);
	unwind_start(true);
	measure("table", by_table, measure_ways, call_deep);
	measure("libgcc", by_libgcc, measure_ways, call_deep);
#if HAVE_LIBUNWIND
	measure("libunwind", by_libunwind, measure_ways, call_deep);
#endif
	measure("frame pointers", by_frame_pointers, measure_ways, call_deep_with_frame_pointers);
	return 0;
}
