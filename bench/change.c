/*
 * change.c - the same 64 MiB for blocks of one size after another: peak_kib says how much of it
 * could be used again. In a process of its own, so that the peak is only this one's.
 */
#include "bench.h"
#include "chain.h"

#define PHASE_BYTES ((size_t)64 << 20)

static void change_sizes(struct bench_run *run, uint64_t count)
{
	static const size_t sizes[] = { 64, 96, 160, 320, 1024, 5000, 64 };

	(void)run;
	while (count--) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			struct block *first = NULL;

			for (size_t bytes = 0; bytes < PHASE_BYTES; bytes += sizes[i])
				first = chain_add(first, sizes[i]);
			chain_free(first);
		}
	}
}

BENCH(change_of_sizes, "64 MiB of blocks of 64 bytes, all freed, then of 96, and so on",
      .run = change_sizes, .rounds = 1)
