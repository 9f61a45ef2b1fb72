/*
 * bench.h - what a benchmark of this folder is: C functions that the program `bench` (harness.cc)
 * runs by Google Benchmark under whatever allocator is preloaded.
 *
 *	static void pairs(struct bench_run *run, uint64_t count)
 *	{
 *		while (count--)
 *			free(bench_keep(malloc((size_t)run->argument)));
 *	}
 *	BENCH(malloc_free, "one block is allocated and freed", .run = pairs, .batch = 1000,
 *	      .from = 8, .to = 4096, .times = 8)
 *
 * That is rows malloc_free/8, malloc_free/64, ... with the time of one malloc and free.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One thread's part of a run. */
struct bench_run {
	int64_t argument;	  /* of the benchmark's range */
	unsigned int thread, nr_threads;
	void *data;		  /* what set_up returned: the same for all threads */
	uint64_t random;	  /* a seed: the same in every process, another in every thread */
	struct bench_counter *counters;
};

struct bench {
	const char *name;
	const char *group; /* the source file: each group has processes of its own */
	const char *text;  /* what one operation is: for the report */
	/*
	 * Do it `count` times. Called again and again, always with the same count, by all threads
	 * equally often; without `rounds` the first call is not timed. The row's time is that of
	 * once: of several threads, what passes until one of them has done it once more.
	 */
	void (*run)(struct bench_run *run, uint64_t count);
	/* Optional, not timed: by one thread, before the first call and after the last of all. */
	void *(*set_up)(struct bench_run *run);
	void (*tear_down)(struct bench_run *run);
	/* Optional, not timed: by each thread before its first call, such as to fill its heap. */
	void (*warm_up)(struct bench_run *run);
	/* The arguments: from, from * times, ... to. All 0: none. quick_times: --quick's. */
	int64_t from, to, times, quick_times;
	/* Rows with fewest_threads (0: 1), twice as many, ... up to threads; both 0: one row. */
	unsigned int fewest_threads, threads;
	unsigned int quick_threads; /* --quick's `threads`; 0: the same */
	unsigned int batch;	    /* `count`; 0: 1 */
	uint64_t rounds;	    /* calls of run; 0: as many as the time takes */
	bool only_full;		    /* not in --quick */
	struct bench *next;
};

void bench_register(struct bench *bench);

/* The file's name without folders and ending is the group. */
#define BENCH(name_, text_, ...) \
	static struct bench bench_##name_ = { \
		.name = #name_, .text = (text_), .group = __FILE__, __VA_ARGS__ \
	}; \
	__attribute__((constructor)) static void register_##name_(void) \
	{ \
		bench_register(&bench_##name_); \
	}

/*
 * A figure of the row beside its time, such as "p99_ns". The last value counts; of several threads
 * the sum, so let one thread say it. The name is a literal. tear_down may call it.
 */
void bench_count(struct bench_run *run, const char *name, double value);

/* Ends the program with a message: the benchmark cannot be run as it is meant. */
__attribute__((noreturn)) void bench_fail(const char *text);

/* Zeroed memory for the benchmark's own tables, not malloc's. */
void *bench_map(size_t bytes);
void bench_unmap(void *memory, size_t bytes);

/* Of this process, now. Calls no malloc. */
uint64_t bench_resident_kib(void);

/* The compiler must believe that somebody uses it. */
static inline void *bench_keep(void *object)
{
	__asm__ volatile("" : "+r"(object) : : "memory");
	return object;
}

static inline void *bench_check(void *object)
{
	if (!object)
		bench_fail("the allocator has no memory for us");
	return bench_keep(object);
}

static inline void *bench_malloc(size_t size)
{
	return bench_check(malloc(size));
}

/* SplitMix64. */
static inline uint64_t bench_random(struct bench_run *run)
{
	uint64_t mixed = run->random += 0x9e3779b97f4a7c15u;

	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
	return mixed ^ mixed >> 31;
}

static inline uint64_t bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#ifdef __cplusplus
}
#endif

#endif
