/*
 * stress_runs.c - a heap with every other 64 KiB freed keeps its free memory in long runs.
 *
 * 1 GiB of blocks of 16 to 32 KiB is allocated; then of every other 64 KiB of consecutive
 * allocations all blocks are freed. At least 90 % of the freed pages must lie in free runs of 16
 * pages and more, as seen from outside: a page is free when it belonged to a block and no live
 * block lies on it. Pages that never belonged to a block end a run. None may be hidden in a
 * slab: every block is a run of pages of its own, its usable size that of whole pages.
 */
#include "stress.h"

#define PAGE ((size_t)4096)
#define HEAP_BYTES ((size_t)1 << 30)
#define GROUP_BYTES KIB(64)
#define MAX_BLOCKS (HEAP_BYTES / KIB(16) + 1)
#define LONG_RUN 16
#define WANTED_PERCENT 90

struct run_block {
	struct block block;
	size_t pages;
	bool freed;
};

static struct run_block blocks[MAX_BLOCKS];
static size_t nr_blocks;

/* Not tagged in full: the first and the last bytes tell whether it was left alone. */
static void heap_fill(void)
{
	struct rng rng = { .state = 1 };
	size_t total = 0;

	while (total < HEAP_BYTES) {
		struct run_block *run = &blocks[nr_blocks++];
		size_t bytes = KIB(16) + rng_below(&rng, KIB(16) + 1);
		size_t usable;

		run->block = (struct block){ stitch_malloc(bytes), bytes, nr_blocks };
		if (!run->block.address)
			die("malloc(%zu) answered NULL", bytes);
		usable = stitch_malloc_usable_size(run->block.address);
		run->pages = (usable + PAGE - 1) / PAGE;
		if (!USES_LIBC && ((uintptr_t)run->block.address % PAGE || usable % PAGE ||
				   usable - bytes >= PAGE))
			die("%p of %zu bytes, usable %zu, is no run of pages of its own",
			    run->block.address, bytes, usable);
		tag_fill(run->block.address, run->block.id, 0, 16);
		tag_fill(run->block.address, run->block.id, bytes - 16, bytes);
		total += bytes;
	}
}

static void run_check(const struct run_block *run)
{
	size_t bytes = run->block.bytes;

	if (tag_check(run->block.address, run->block.id, 0, 16) != TAG_OK ||
	    tag_check(run->block.address, run->block.id, bytes - 16, bytes) != TAG_OK)
		die("the block of %zu bytes at %p changed", bytes, run->block.address);
}

static void heap_thin(void)
{
	size_t total = 0;
	bool odd = false;

	for (size_t i = 0; i < nr_blocks; i++) {
		run_check(&blocks[i]);
		if (odd) {
			stitch_free(blocks[i].block.address);
			blocks[i].freed = true;
		}
		total += blocks[i].block.bytes;
		if (total >= GROUP_BYTES) {
			total = 0;
			odd = !odd;
		}
	}
	for (size_t i = 0; i < nr_blocks; i++)
		if (!blocks[i].freed)
			run_check(&blocks[i]);
}

static int by_address(const void *a, const void *b)
{
	uintptr_t left = (uintptr_t)((const struct run_block *)a)->block.address;
	uintptr_t right = (uintptr_t)((const struct run_block *)b)->block.address;

	return left < right ? -1 : left > right;
}

/* Add one run's pages to the account of its length. */
static void count_run(size_t pages, size_t *in_long, size_t *nr_runs)
{
	if (!pages)
		return;
	(*nr_runs)++;
	if (pages >= LONG_RUN)
		*in_long += pages;
}

int main(void)
{
	size_t freed = 0, in_long = 0, run = 0, nr_runs = 0;
	uintptr_t run_end = 0;

	heap_fill();
	heap_thin();
	qsort(blocks, nr_blocks, sizeof(blocks[0]), by_address);
	for (size_t i = 0; i < nr_blocks; i++) {
		uintptr_t start = (uintptr_t)blocks[i].block.address & ~(PAGE - 1);

		if (i && start < run_end && !USES_LIBC)
			die("two blocks share the page at %#lx", (unsigned long)start);
		if (blocks[i].freed)
			freed += blocks[i].pages;
		if (!blocks[i].freed || start != run_end) {
			count_run(run, &in_long, &nr_runs);
			run = 0;
		}
		if (blocks[i].freed)
			run += blocks[i].pages;
		run_end = start + blocks[i].pages * PAGE;
	}
	count_run(run, &in_long, &nr_runs);
	printf("%zu of %zu freed pages lie in runs of %d and more; %.1f pages a run\n", in_long,
	       freed, LONG_RUN, (double)freed / (double)nr_runs);
	if (in_long * 100 < freed * WANTED_PERCENT)
		die("less than %d %% of the free pages lie in long runs", WANTED_PERCENT);
	return 0;
}
