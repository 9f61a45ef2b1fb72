/*
 * cliffs.c - cases where one allocator or another has been found to fall from a cliff. Those whose
 * memory counts are groups, and so processes, of their own: change.c, idle.c.
 *
 * Some come to rest only after many calls, when all pages have been used once. They are called
 * equally often before and while they are timed, however fast the allocator is: else the time that
 * a row is given would decide how much of the beginning is in it.
 */
#include <string.h>
#include <sys/mman.h>

#include "bench.h"

#define PAGE 4096u
#define MIB ((size_t)1 << 20)

/* --- zeroed memory, of which little is used --------------------------------------------------- */

static void calloc_huge(struct bench_run *run, uint64_t count)
{
	(void)run;
	while (count--) {
		char *block = bench_check(calloc(64, MIB));

		for (size_t at = 0; at < 64 * MIB; at += (size_t)16 * PAGE) {
			if (block[at])
				bench_fail("calloc's memory is not zero");
			block[at] = 1;
		}
		free(bench_keep(block));
	}
}

static void use_huge(struct bench_run *run)
{
	calloc_huge(run, 3);
}

/* --- few large blocks, above and below everybody's thresholds --------------------------------- */

struct few {
	void *blocks[4];
};

static void *few_set_up(struct bench_run *run)
{
	(void)run;
	return bench_map(sizeof(struct few));
}

static void churn_large(struct bench_run *run, uint64_t count)
{
	struct few *few = run->data;

	while (count--) {
		void **block = &few->blocks[bench_random(run) % 4];
		size_t size = 5 * MIB + bench_random(run) % (20 * MIB);

		free(*block);
		*block = memset(bench_malloc(size), 1, size);
	}
}

static void fill_few(struct bench_run *run)
{
	churn_large(run, 12);
}

static void few_tear_down(struct bench_run *run)
{
	struct few *few = run->data;

	for (size_t i = 0; i < 4; i++)
		free(few->blocks[i]);
	bench_unmap(few, sizeof(*few));
}

/* --- many alignments, and a program that has many mappings of its own ------------------------- */

#define NR_PLACES 1024u
#define OWN_MAPS 30000u

struct many {
	void *blocks[NR_PLACES];
	char *maps; /* every second page is protected: each page is a mapping */
	uint64_t nr_misaligned;
};

static void *many_set_up(struct bench_run *run)
{
	(void)run;
	return bench_map(sizeof(struct many));
}

/* A program that leaves the allocator about half of Linux's 65,530 mappings. */
static void *maps_set_up(struct bench_run *run)
{
	struct many *many = many_set_up(run);

	many->maps = bench_map((size_t)OWN_MAPS * PAGE);
	for (size_t i = 0; i < OWN_MAPS; i += 2)
		if (mprotect(many->maps + i * PAGE, PAGE, PROT_NONE))
			bench_fail("mprotect of the benchmark's own memory failed");
	return many;
}

static void many_tear_down(struct bench_run *run)
{
	struct many *many = run->data;

	for (size_t i = 0; i < NR_PLACES; i++)
		free(many->blocks[i]);
	if (many->maps)
		bench_unmap(many->maps, (size_t)OWN_MAPS * PAGE);
	bench_unmap(many, sizeof(*many));
}

/*
 * Alignments from 64 to 64 KiB, as often each; sizes from 16 bytes to 8 KiB. Blocks that are not
 * aligned are counted and do not end the program: mimalloc 2.0.9 has some (its issue 700).
 */
static void memalign_mixed(struct bench_run *run, uint64_t count)
{
	struct many *many = run->data;

	while (count--) {
		uint64_t random = bench_random(run);
		void **block = &many->blocks[random % NR_PLACES];
		size_t alignment = (size_t)64 << (random >> 32) % 11;

		free(*block);
		if (posix_memalign(block, alignment, 16 + (random >> 48) % 8177))
			bench_fail("the allocator has no aligned memory for us");
		many->nr_misaligned += (uintptr_t)*block % alignment != 0;
		*(char *)*block = 1;
	}
}

static void fill_aligned(struct bench_run *run)
{
	memalign_mixed(run, (uint64_t)4 * NR_PLACES);
}

static void aligned_tear_down(struct bench_run *run)
{
	struct many *many = run->data;

	bench_count(run, "misaligned", (double)many->nr_misaligned);
	many_tear_down(run);
}

/* 4 KiB to 512 KiB, each doubling as often, a byte written: what may be mappings of their own. */
static void replace_medium(struct bench_run *run, uint64_t count)
{
	struct many *many = run->data;

	while (count--) {
		uint64_t random = bench_random(run);
		void **block = &many->blocks[random % NR_PLACES];
		size_t low = (size_t)PAGE << (random >> 32) % 7;

		free(*block);
		*block = bench_malloc(low + (random >> 40) % low);
		*(char *)*block = 1;
	}
}

static void fill_medium(struct bench_run *run)
{
	replace_medium(run, (uint64_t)20 * NR_PLACES);
}

BENCH(calloc_huge, "calloc of 64 MiB of which a sixteenth of the pages is written, then free",
      .run = calloc_huge, .warm_up = use_huge, .rounds = 5)
BENCH(churn_of_large, "four live blocks of 5 to 25 MiB, written in full, replaced in turn",
      .run = churn_large, .set_up = few_set_up, .warm_up = fill_few, .tear_down = few_tear_down,
      .rounds = 20)
BENCH(memalign_mixed, "blocks aligned to 64 bytes up to 64 KiB replace each other at random",
      .run = memalign_mixed, .batch = 100, .set_up = many_set_up, .warm_up = fill_aligned,
      .tear_down = aligned_tear_down)
BENCH(medium_few_maps, "blocks of 4 to 512 KiB, hardly written, replace each other at random",
      .run = replace_medium, .batch = 100, .set_up = many_set_up, .warm_up = fill_medium,
      .tear_down = many_tear_down, .rounds = 200)
BENCH(medium_many_maps, "the same in a process with 30,000 mappings of its own",
      .run = replace_medium, .batch = 100, .set_up = maps_set_up, .warm_up = fill_medium,
      .tear_down = many_tear_down, .rounds = 200)
