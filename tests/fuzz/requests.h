/*
 * requests.h - what the fuzz asks for: sizes on and around every edge, alignments, entry points.
 *
 * All choices come from the given generator alone, so that a seed replays them.
 */
#ifndef TESTS_FUZZ_REQUESTS_H
#define TESTS_FUZZ_REQUESTS_H

#include <stddef.h>

#include "calls.h"
#include "tag.h"

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum shape { TINY, EDGE, PAGE, CURVE, RUN, AREA, GIANT, NR_SHAPES };

struct profile {
	const char *name;
	unsigned short weight[NR_SHAPES]; /* of 1000 */
};

static const struct profile profiles[] = {
	/*		TINY EDGE PAGE CURVE RUN AREA GIANT */
	{ "small",	{ 600, 400, 0, 0, 0, 0, 0 } },
	{ "edges",	{ 0, 1000, 0, 0, 0, 0, 0 } },
	{ "mixed",	{ 449, 300, 100, 100, 45, 5, 1 } },
	{ "curve",	{ 100, 100, 0, 780, 20, 0, 0 } },
	{ "runs",	{ 50, 50, 750, 0, 147, 3, 0 } },
	{ "large",	{ 370, 100, 100, 100, 280, 48, 2 } },
};

/* Large blocks cost a hundred times what small ones do: index of the profile by phase. */
static const unsigned char phases[] = { 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 5 };

static inline size_t pick_curve(struct rng *rng, unsigned int low_shift, unsigned int high_shift)
{
	unsigned int shift = low_shift + (unsigned int)rng_below(rng, high_shift - low_shift);

	return ((size_t)1 << shift) + rng_below(rng, (size_t)1 << shift);
}

static inline enum shape pick_shape(struct rng *rng, const struct profile *profile)
{
	size_t place = rng_below(rng, 1000);
	unsigned int shape = 0;

	while (place >= profile->weight[shape])
		place -= profile->weight[shape++];
	return (enum shape)shape;
}

static inline size_t pick_size(struct rng *rng, const struct profile *profile)
{
	size_t off = rng_below(rng, 3); /* edge - 1, edge, edge + 1 */

	switch (pick_shape(rng, profile)) {
	case TINY:
		return rng_below(rng, 1025);
	case EDGE: /* every multiple of 16 up to 16 KiB: whatever the size classes are */
		return 16 * (1 + rng_below(rng, 1025)) + off - 1;
	case PAGE:
		return 4096 * (1 + rng_below(rng, (size_t)2 << rng_below(rng, 9))) + off - 1;
	case CURVE:
		return pick_curve(rng, 0, 16);
	case RUN:
		return pick_curve(rng, 13, 21);
	case AREA:
		if (rng_below(rng, 2))
			return MIB(2) * (1 + rng_below(rng, 4)) + KIB(4) * rng_below(rng, 2) + off -
			       1;
		return pick_curve(rng, 21, 24);
	default:
		return MIB(16) + rng_below(rng, MIB(48) + 1);
	}
}

static inline size_t pick_align(struct rng *rng)
{
	size_t place = rng_below(rng, 512);

	if (place < 256)
		return (size_t)8 << rng_below(rng, 7);
	if (place < 496)
		return (size_t)1024 << rng_below(rng, 5);
	return (size_t)32768 << rng_below(rng, place == 511 ? 12 : 7);
}

static inline enum call pick_alloc(struct rng *rng)
{
	static const unsigned char weights[] = { 40, 20, 6, 4, 8, 8, 6, 4, 4 };
	size_t place = rng_below(rng, 100);
	unsigned int call = 0;

	while (place >= weights[call])
		place -= weights[call++];
	return (enum call)call;
}

#endif
