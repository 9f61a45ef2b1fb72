/*
 * latency.c - not the mean but the worst: each malloc or each free of a steady load is timed by
 * itself. The row of the timer alone says how much of each figure is the timer's; nothing is
 * subtracted. A row's own time has the timer and the load in it.
 *
 * Blocks live over three orders of magnitude. Only one of malloc and free is timed in a row, so
 * that the timer's own work does not stand between them twice.
 */
#include <string.h>

#include "bench.h"
#include "sizes.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define PLACE_BITS 10
#define NR_PLACES (1u << PLACE_BITS)
#define WRITTEN 64u
#define BATCH 1000
#define NR_BATCHES 1000 /* a million samples in each row, whatever --quick says */
#define CALIBRATION_NS 20000000u
/* Each doubling has so many buckets: figures are exact to 1/32. */
#define PART_BITS 5
#define NR_PARTS (1u << PART_BITS)
#define NR_BUCKETS ((64 - PART_BITS + 1) * NR_PARTS)

struct latency {
	char *places[NR_PLACES];
	uint32_t buckets[NR_BUCKETS];
	uint64_t nr_samples, worst;
	double ns_per_tick;
};

/* --- the timer ------------------------------------------------------------------------------- */

#if defined(__x86_64__)
static inline uint64_t start_ticks(void)
{
	uint64_t ticks;

	_mm_lfence();
	ticks = __rdtsc();
	_mm_lfence();
	return ticks;
}

static inline uint64_t end_ticks(void)
{
	unsigned int processor;
	uint64_t ticks = __rdtscp(&processor);

	_mm_lfence();
	return ticks;
}
#else
static inline uint64_t start_ticks(void)
{
	return bench_now_ns();
}

static inline uint64_t end_ticks(void)
{
	return bench_now_ns();
}
#endif

static double calibrate(void)
{
	uint64_t start_ns = bench_now_ns(), start = start_ticks(), ns;

	do
		ns = bench_now_ns() - start_ns;
	while (ns < CALIBRATION_NS);
	return (double)ns / (double)(end_ticks() - start);
}

/* --- the histogram --------------------------------------------------------------------------- */

static size_t bucket_of(uint64_t ticks)
{
	unsigned int doubling;

	if (ticks < NR_PARTS)
		return (size_t)ticks;
	doubling = 63 - (unsigned int)__builtin_clzll(ticks) - PART_BITS;
	return (size_t)(doubling * NR_PARTS + (ticks >> doubling));
}

static uint64_t middle_of(size_t bucket)
{
	size_t doubling = bucket < 2 * NR_PARTS ? 0 : bucket / NR_PARTS - 1;

	return ((uint64_t)(bucket - doubling * NR_PARTS) << doubling) + (1ull << doubling) / 2;
}

static void add_sample(struct latency *latency, uint64_t ticks)
{
	latency->buckets[bucket_of(ticks)]++;
	latency->nr_samples++;
	if (ticks > latency->worst)
		latency->worst = ticks;
}

/* So many of a million samples took no longer. */
static double quantile_ns(const struct latency *latency, uint64_t millionths)
{
	uint64_t wanted = latency->nr_samples * millionths / 1000000, passed = 0;
	size_t bucket = 0;

	for (; bucket < NR_BUCKETS - 1; bucket++) {
		passed += latency->buckets[bucket];
		if (passed >= wanted)
			break;
	}
	return (double)middle_of(bucket) * latency->ns_per_tick;
}

/* --- the load -------------------------------------------------------------------------------- */

/* Without an argument: mixed sizes. */
static size_t draw_size(struct bench_run *run)
{
	return run->argument ? (size_t)run->argument : mixed_size(bench_random(run));
}

static void write_head(char *block, size_t size)
{
	memset(block, 1, size < WRITTEN ? size : WRITTEN);
}

static void *set_up(struct bench_run *run)
{
	struct latency *latency = bench_map(sizeof(*latency));

	latency->ns_per_tick = calibrate();
	for (size_t i = 0; i < NR_PLACES; i++) {
		size_t size = draw_size(run);

		latency->places[i] = bench_malloc(size);
		write_head(latency->places[i], size);
	}
	memset(latency->buckets, 0, sizeof(latency->buckets)); /* resident before the first call */
	return latency;
}

static void time_malloc(struct bench_run *run, uint64_t count)
{
	struct latency *latency = run->data;

	while (count--) {
		size_t place = lasting_place(bench_random(run), PLACE_BITS), size = draw_size(run);
		uint64_t start;
		char *block;

		free(latency->places[place]);
		start = start_ticks();
		block = bench_keep(malloc(size));
		add_sample(latency, end_ticks() - start);
		write_head(bench_check(block), size);
		latency->places[place] = block;
	}
}

static void time_free(struct bench_run *run, uint64_t count)
{
	struct latency *latency = run->data;

	while (count--) {
		size_t place = lasting_place(bench_random(run), PLACE_BITS), size = draw_size(run);
		uint64_t start = start_ticks();

		free(bench_keep(latency->places[place]));
		add_sample(latency, end_ticks() - start);
		latency->places[place] = bench_malloc(size);
		write_head(latency->places[place], size);
	}
}

static void time_nothing(struct bench_run *run, uint64_t count)
{
	struct latency *latency = run->data;

	while (count--) {
		size_t place = lasting_place(bench_random(run), PLACE_BITS);
		uint64_t start = start_ticks();

		bench_keep(latency->places[place]);
		add_sample(latency, end_ticks() - start);
	}
}

static void report(struct bench_run *run)
{
	struct latency *latency = run->data;

	bench_count(run, "p50_ns", quantile_ns(latency, 500000));
	bench_count(run, "p90_ns", quantile_ns(latency, 900000));
	bench_count(run, "p99_ns", quantile_ns(latency, 990000));
	bench_count(run, "p999_ns", quantile_ns(latency, 999000));
	bench_count(run, "p9999_ns", quantile_ns(latency, 999900));
	bench_count(run, "worst_ns", (double)latency->worst * latency->ns_per_tick);
	for (size_t i = 0; i < NR_PLACES; i++)
		free(latency->places[i]);
	bench_unmap(latency, sizeof(*latency));
}

#define LATENCY(name, text, run_, ...) \
	BENCH(name, text, .run = run_, .batch = BATCH, .rounds = NR_BATCHES, .set_up = set_up, \
	      .tear_down = report, __VA_ARGS__)

LATENCY(malloc_latency, "a million calls of malloc, each timed, in a steady load",
	time_malloc, .from = 64, .to = 65536, .times = 4, .quick_times = 32)
LATENCY(free_latency, "a million calls of free, each timed, in a steady load",
	time_free, .from = 64, .to = 65536, .times = 4, .quick_times = 32)
LATENCY(malloc_latency_mixed, "a million calls of malloc, each timed, in a steady load",
	time_malloc, .to = 0)
LATENCY(free_latency_mixed, "a million calls of free, each timed, in a steady load",
	time_free, .to = 0)
LATENCY(timer_latency, "the timer alone: what it adds to each figure",
	time_nothing, .to = 0)
