/*
 * stress_stitch.c - large blocks stitched from the frames of others, by two threads, with frees,
 * purges and forks beside: no tag is lost, doubled or stale, and the heap's number of mappings
 * stays.
 *
 * Each mode is a process of its own, for its share of the time: plain; huge pages asked for
 * everywhere; all memory locked; every frame shared with a child that looks on; no mover, but
 * mremap. Where the share is too short for a single stitch, as under a slow checker, it goes on.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "core/params.h"
#include "fuzz/validators.h"
#include "os/os_move.h"
#include "stress.h"
#include "vmalloc/gather.h"
#include "vmalloc/mover.h"
#include "vmalloc/stitch.h"

#define THREADS 2
#define SMALL 1500
#define LARGE 6
#define SMALL_MAX KIB(128)
#define LARGE_MIN KIB(256)
#define LARGE_MAX MIB(12)
#define PATIENCE 60.0 /* seconds, for what a mode is there for */

struct worker {
	struct rng rng;
	bool may_fork;
	unsigned int depth; /* of children */
	struct block small[SMALL], large[LARGE];
};

static double end;
static const size_t *awaited; /* goes up when it has happened */
static unsigned int how = STITCH_UFFD; /* whatever it costs here */
static struct worker workers[THREADS];

/* Zero throughout: not what the frames held before. */
static void block_new_zeroed(struct block *block, size_t bytes)
{
	size_t bad;

	block->address = stitch_calloc(1, bytes);
	if (!block->address)
		die("calloc(%zu) answered NULL", bytes);
	bad = tag_block_zero(block->address, bytes);
	if (bad != TAG_OK)
		die("calloc(%zu): byte %zu is not zero", bytes, bad);
	stitch_free(block->address);
	block_new(block, bytes);
}

static size_t log_size(struct rng *rng, size_t least, size_t most)
{
	size_t octave = least;

	while (octave < most / 2 && rng_below(rng, 2))
		octave *= 2;
	octave += rng_below(rng, octave);
	return octave < most ? octave : most;
}

static void fill_small(struct worker *worker)
{
	for (unsigned int i = 0; i < SMALL; i++)
		if (!worker->small[i].address)
			block_new(&worker->small[i], log_size(&worker->rng, KIB(4), SMALL_MAX));
}

/* Consecutive ones, so that there are runs of all lengths. */
static void free_stretches(struct worker *worker)
{
	unsigned int at = 0;

	while (at < SMALL) {
		unsigned int length = 1 + (unsigned int)rng_below(&worker->rng, 12);
		bool frees = rng_below(&worker->rng, 2);

		for (unsigned int i = at; frees && i < at + length && i < SMALL; i++)
			block_free(&worker->small[i]);
		at += length;
	}
}

static void replace_large(struct worker *worker)
{
	struct block *block = &worker->large[rng_below(&worker->rng, LARGE)];
	size_t bytes = LARGE_MIN + rng_below(&worker->rng, LARGE_MAX - LARGE_MIN);

	block_free(block);
	if (rng_below(&worker->rng, 4))
		block_new(block, bytes);
	else
		block_new_zeroed(block, bytes);
}

static void check_all(struct worker *worker)
{
	for (unsigned int i = 0; i < SMALL; i++)
		if (worker->small[i].address)
			block_check(&worker->small[i]);
	for (unsigned int i = 0; i < LARGE; i++)
		if (worker->large[i].address)
			block_check(&worker->large[i]);
}

static void work_once(struct worker *worker);

/* Child and grandchild go on with what they inherited; the parent, too, at the same time. */
static void fork_beside(struct worker *worker)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		die("fork: %s", strerror(errno));
	if (!child) {
		alarm(120);
		worker->depth++;
		check_all(worker);
		for (unsigned int i = 0; i < 3; i++)
			work_once(worker);
		check_all(worker);
		_exit(0);
	}
	work_once(worker);
	if (waitpid(child, &status, 0) != child || status)
		die("a child ended with %#x", (unsigned int)status);
}

static void work_once(struct worker *worker)
{
	fill_small(worker);
	free_stretches(worker);
	for (unsigned int i = 0; i < 8; i++)
		replace_large(worker);
	if (!rng_below(&worker->rng, 16))
		stitch_malloc_trim(0);
	if (worker->may_fork && worker->depth < 2 && !rng_below(&worker->rng, 8))
		fork_beside(worker);
}

static void free_all(struct worker *worker)
{
	for (unsigned int i = 0; i < SMALL; i++)
		block_free(&worker->small[i]);
	for (unsigned int i = 0; i < LARGE; i++)
		block_free(&worker->large[i]);
}

static bool is_awaiting(void)
{
	return awaited && !READ_ONCE(*awaited) && !mover_error() && seconds_now() < end + PATIENCE;
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	while (seconds_now() < end || is_awaiting())
		work_once(worker);
	check_all(worker);
	free_all(worker);
	return NULL;
}

static long count_maps(void)
{
	long nr_maps = os_count_maps(mm_map.base, mm_map.base + mm_map.nr_pages * PAGE_SIZE);

	if (nr_maps <= 0)
		die("/proc/self/maps: %ld", nr_maps);
	return nr_maps;
}

/* The heap as large as it gets, so that its two parts are there. */
static long warm_up(void)
{
	params.stitch = STITCH_OFF;
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i].rng.state = i;
		work_once(&workers[i]);
	}
	params.stitch = how;
	return count_maps();
}

/* True when pages can be moved here. */
static void run_mode(const char *name, double seconds)
{
	pthread_t threads[THREADS];
	long maps = warm_up();

	end = seconds_now() + seconds;
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i].may_fork = i == 0;
		thread_start(&threads[i], work, &workers[i]);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (!heap_is_valid())
		die("%s: the heap's invariants do not hold", name);
	expect_nothing_live();
	if (count_maps() != maps)
		die("%s: the heap consists of %ld mappings, %ld before", name, count_maps(), maps);
	printf("%s: %zu requests, %zu runs, %zu pages moved, %zu busy, %zu purged, %zu failed, %ld "
	       "maps\n", name, stitch_counts.requests, stitch_counts.runs, stitch_counts.pages,
	       stitch_counts.busy, stitch_counts.purged, stitch_counts.failed, maps);
}

static void expect_stitches(const char *name)
{
	if (mover_error())
		printf("%s: pages cannot be moved here: error %d\n", name, -mover_error());
	else if (!stitch_counts.requests)
		die("%s: nothing was stitched", name);
}

static void plain(double seconds)
{
	params.thp = THP_NEVER;
	awaited = &stitch_counts.requests;
	run_mode("plain", seconds);
	expect_stitches("plain");
}

static void huge(double seconds)
{
	params.thp = THP_ALWAYS;
	awaited = &stitch_counts.requests;
	run_mode("huge", seconds);
	expect_stitches("huge");
}

static void locked(double seconds)
{
	params.thp = THP_NEVER;
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		printf("locked: mlockall: %s\n", strerror(errno));
	else
		run_mode("locked", seconds);
}

/* By mremap, out of the heap. */
static void gathered(double seconds)
{
	params.thp = THP_NEVER;
	how = STITCH_MREMAP;
	awaited = &gather_counts.requests;
	run_mode("gathered", seconds);
	printf("gathered: %zu requests, %zu runs, %zu pages\n", gather_counts.requests,
	       gather_counts.runs, gather_counts.pages);
	if (!gather_counts.requests)
		die("nothing was gathered");
}

/* Frames are shared with it from the start, until they are written to. */
static void watched(double seconds)
{
	pid_t child;

	params.thp = THP_NEVER;
	warm_up();
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	run_mode("watched", seconds);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

int main(void)
{
	static void (*const modes[])(double) = { plain, huge, locked, watched, gathered };
	double seconds = (stress_end() - seconds_now()) / ARRAY_SIZE(modes);

	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++) {
		pid_t child;
		int status = -1;

		fflush(stdout);
		child = fork();
		if (!child) {
			modes[i](seconds);
			fflush(stdout);
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			die("mode %u ended with %#x", i, (unsigned int)status);
	}
	return 0;
}
