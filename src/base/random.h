/*
 * random.h - pseudo-random numbers for whoever draws lots.
 *
 * L0. Sebastiano Vigna's splitmix64, one sequence for all threads: no lock, signal-safe.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdatomic.h>

#include "base/compiler.h"

/* 64 bits. A state of 0 is seeded by the clock first; any other gives always the same sequence. */
static inline uint64_t random_next(_Atomic uint64_t *state)
{
	uint64_t z = 0;

	if (!*state)
		atomic_compare_exchange_strong(state, &z, __builtin_ia32_rdtsc() | 1);
	z = atomic_fetch_add(state, 0x9e3779b97f4a7c15u) + 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

#endif
