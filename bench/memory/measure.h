/*
 * measure.h - what the programs here say of themselves: memory, faults, time. Nothing in it calls
 * malloc, so that all memory above the baseline is what the program under test asked for, and what
 * its allocator made of that.
 */
#ifndef BENCH_MEMORY_MEASURE_H
#define BENCH_MEMORY_MEASURE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "shared/curve.h" /* die, map_table */

#define MIB (1024.0 * 1024.0)
#define TOUCH_STEP 4096

struct measure {
	uint64_t baseline_bytes, start_ns;
	struct rusage start;
};

/* Output without malloc: call first. */
void quiet_stdout(void);
uint64_t now_ns(void);
void sleep_until(uint64_t ns);

/* From here on: the figures are those above the present ones. */
void measure_start(struct measure *measure);
/* The peak from here on. */
void measure_reset_peak(void);
uint64_t resident_above(const struct measure *measure);
uint64_t peak_above(const struct measure *measure);
/* The path of the library that malloc comes from. */
const char *malloc_library(void);
/* Prints time, faults and the line for bench/pair --figures. */
void measure_print(const struct measure *measure);

/* SplitMix64: the same numbers everywhere. */
uint64_t random_next(uint64_t *state);
/* In [0, 1). */
double random_unit(uint64_t *state);

/* A byte in every page of the block. */
void touch_pages(char *p, size_t bytes);

#endif
