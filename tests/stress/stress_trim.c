/*
 * stress_trim.c - trims beside an allocator in a nearly full heap: nobody fails because of them.
 *
 * Main fills a heap of 16 MiB with blocks of one size, counts them, and frees all: so many, less a
 * few that a changed order may cost, it must get whenever it asks again, while one thread trims
 * and another reads statistics without a pause. Both take free pages away for a moment.
 */
#include "../fuzz/validators.h"
#include "stress.h"

#define MAX_BLOCKS 400
#define MARGIN(nr) ((nr) / 8 + 1)

#ifndef USE_LIBC
extern const char *stitch_conf;
const char *stitch_conf = "reserve=16M";
#endif

static _Atomic bool stop;

static void *trim_run(void *unused)
{
	while (!atomic_load(&stop))
		stitch_malloc_trim(0);
	return unused;
}

static void *statistics_run(void *unused)
{
	while (!atomic_load(&stop))
		stitch_mallinfo2();
	return unused;
}

static unsigned int fill(size_t bytes, unsigned int wanted, void **blocks)
{
	for (unsigned int i = 0; i < wanted; i++) {
		blocks[i] = stitch_malloc(bytes);
		if (!blocks[i])
			return i;
		memset(blocks[i], 1, bytes);
	}
	return wanted;
}

static void empty(unsigned int nr_blocks, void **blocks)
{
	for (unsigned int i = 0; i < nr_blocks; i++)
		stitch_free(blocks[i]);
}

/* Returns the number of rounds. */
static unsigned long fill_till(double end, size_t bytes)
{
	static void *blocks[MAX_BLOCKS];
	unsigned int all = fill(bytes, MAX_BLOCKS, blocks), wanted = all - MARGIN(all);
	unsigned long nr_rounds = 0;
	pthread_t trims, reads;

	empty(all, blocks);
	stitch_malloc_trim(0);
	atomic_store(&stop, false);
	thread_start(&trims, trim_run, NULL);
	thread_start(&reads, statistics_run, NULL);
	for (; seconds_now() < end; nr_rounds++) {
		unsigned int nr_blocks = fill(bytes, wanted, blocks);

		if (nr_blocks < wanted)
			die("round %lu: %u blocks of %zu bytes, %u without trims", nr_rounds,
			    nr_blocks, bytes, all);
		empty(nr_blocks, blocks);
	}
	atomic_store(&stop, true);
	pthread_join(trims, NULL);
	pthread_join(reads, NULL);
	if (!heap_is_valid())
		die("the validators of the heap found it broken");
	expect_nothing_live();
	stitch_malloc_trim(0);
	return nr_rounds;
}

int main(void)
{
	/* Runs from stock and not, areas, objects whose slabs come and go. */
	static const size_t sizes[] = { KIB(100), 300000, MIB(3), 300 };
	double start = seconds_now(), seconds = stress_end() - start;
	unsigned long nr_rounds = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		nr_rounds += fill_till(start + seconds * (double)(i + 1) / ARRAY_SIZE(sizes),
				       sizes[i]);
	printf("%lu rounds\n", nr_rounds);
	return 0;
}
