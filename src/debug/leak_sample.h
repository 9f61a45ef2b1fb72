/*
 * leak_sample.h - which allocations are looked at when looking at all is too dear: leaks=sample.
 *
 * L7. A Poisson process over the bytes that a thread allocates: an object is sampled if an event
 * falls into it, with probability 1 - exp(-bytes / leak_sample), whatever came before. So one of
 * the sample that has `bytes` bytes stands for 1 / probability such objects, and sums
 * of these are unbiased. An object of no bytes is never one. Callable from signal handlers.
 */
#ifndef DEBUG_LEAK_SAMPLE_H
#define DEBUG_LEAK_SAMPLE_H

#include "base/compiler.h"
#include "base/math.h"

/* Twice the bytes until the thread's next event, and 1; even: the thread has drawn none yet. */
extern _Thread_local int64_t leak_sample_left __tls_initial_exec;

/* More than that is certain to be sampled. */
#define LEAK_SAMPLE_MAX_BYTES TIB(64)

/* An event has been passed: draw the next. False: it was the thread's start. */
bool leak_sample_draw(void);

/* Count an allocation. True: it is of the sample if leak_sample_draw says so. */
static __inline_always bool leak_sample_passes(size_t bytes)
{
	int64_t left = leak_sample_left - 2 * (int64_t)min_size(bytes, LEAK_SAMPLE_MAX_BYTES);

	leak_sample_left = left;
	return unlikely(left < 0);
}

/* The same, is it of the sample? */
static inline bool leak_sample_hits(size_t bytes)
{
	return leak_sample_passes(bytes) && leak_sample_draw();
}

/* A distance to the next event, exponential with mean leak_sample=, from 64 random bits. */
int64_t leak_sample_distance(uint64_t random);

/* What one object of the sample stands for. */
struct leak_estimate {
	double nr_blocks, bytes;
	double variance; /* of the bytes */
};

struct leak_estimate leak_sample_estimate(size_t bytes);

/* The same in integers, objects in 1 / 2^LEAK_FRACTION_BITS; for who allocates. */
#define LEAK_FRACTION_BITS 8u
struct leak_weight {
	uint64_t bytes, nr;
};
struct leak_weight leak_sample_weight(size_t bytes);

static inline void leak_estimate_add(struct leak_estimate *sum, struct leak_estimate one)
{
	sum->nr_blocks += one.nr_blocks;
	sum->bytes += one.bytes;
	sum->variance += one.variance;
}

/* With a probability of 95 % the bytes are this near to the estimate. */
size_t leak_estimate_error(const struct leak_estimate *estimate);

#endif
