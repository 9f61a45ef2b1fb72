/*
 * Memory comes back in a program that has become quiet: after phases of building and freeing it
 * allocates and frees one small object now and then, which is never anything but a hit.
 */
#include <time.h>

#include "semantics/check.h"
#include "semantics/figures.h"

#define PHASE_BYTES ((size_t)192 << 20)
#define MAX_BLOCKS 400000u
#define BOUND ((size_t)56 << 20) /* of retain= half may stay */
#define PATIENCE 1000u		 /* naps of 20 ms */

const char *stitch_conf;
const char *stitch_conf = "retain=48M,decay_ms=300";

static char *blocks[MAX_BLOCKS];

static uint32_t random_bits(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state = state * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(state >> 33);
}

/* 16 B to 1 MiB, so that there are as many bytes of each magnitude as of any other. */
static void build_and_free(void)
{
	size_t bytes = 0, nr = 0;

	while (bytes < PHASE_BYTES && nr < MAX_BLOCKS) {
		size_t octave = (size_t)16 << random_bits() % 17;
		size_t size = octave - random_bits() % (octave / 2);

		blocks[nr] = malloc(size);
		CHECK(blocks[nr], "malloc(%zu)", size);
		for (size_t at = 0; at < size; at += 4096)
			blocks[nr][at] = 1;
		bytes += size;
		nr++;
	}
	while (nr)
		free(blocks[--nr]);
}

/* A phase of work with what will be used later: the sheaves are warm. */
static void work_a_little(void)
{
	for (unsigned int i = 0; i < 100; i++)
		free(launder(malloc(100 + i % 4)));
}

int main(void)
{
	struct timespec nap = { .tv_nsec = 20000000 };
	unsigned int naps;

	for (unsigned int phase = 0; phase < 5; phase++)
		build_and_free();
	work_a_little();
	for (naps = 0; naps < PATIENCE && resident_bytes() > BOUND; naps++) {
		nanosleep(&nap, NULL);
		free(launder(malloc(100)));
	}
	CHECK(!on_stitchmalloc() || resident_bytes() <= BOUND,
	      "%zu bytes are still resident after %u naps", resident_bytes(), naps);
	return 0;
}
