/*
 * stress_resize.c - buffers of 4 KiB to 256 MiB that grow and shrink at random, by all the ways in
 * which realloc moves them, in two threads and across forks: every page keeps its tag.
 *
 * Each mode is a process of its own, for its share of the time: frames are moved inside the heap
 * whatever it costs; as it pays; never; large blocks are gathered outside by mremap; all memory is
 * locked. All of them have blocks that leave the heap, but the last. Goes on until the time is
 * over; STRESS_STEPS in the environment: until each mode has made so many steps.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "core/params.h"
#include "fuzz/validators.h"
#include "os/os_move.h"
#include "stress.h"
#include "vmalloc/mapping.h"
#include "vmalloc/mover.h"
#include "vmalloc/stitch.h"

#define THREADS 2
#define BUFFERS 3
#define OTHERS 16
#define SMALLEST KIB(4)
#define LARGEST MIB(256)
#define CHILD_STEPS 4u

/* A buffer's pages are tagged by their number and this seed. */
struct buffer {
	char *address;
	size_t bytes;
	uint64_t seed;
};

struct worker {
	struct rng rng;
	bool may_fork;
	struct buffer buffers[BUFFERS];
	void *others[OTHERS]; /* in the way */
};

static double end;
static unsigned long nr_wanted;
static _Atomic unsigned long nr_steps;

static uint64_t tag_of(const struct buffer *buffer, size_t offset)
{
	return buffer->seed + offset * 0x9e3779b97f4a7c15;
}

static size_t last_word(size_t bytes)
{
	return (bytes - 8) & ~(size_t)7;
}

static void set_tags(struct buffer *buffer, size_t from)
{
	for (size_t i = from & ~(size_t)4095; i + 8 <= buffer->bytes; i += 4096)
		*(uint64_t *)(void *)(buffer->address + i) = tag_of(buffer, i);
	*(uint64_t *)(void *)(buffer->address + last_word(buffer->bytes)) =
		tag_of(buffer, last_word(buffer->bytes));
}

static void check_word(const struct buffer *buffer, size_t offset)
{
	uint64_t found = *(const uint64_t *)(const void *)(buffer->address + offset);

	if (found != tag_of(buffer, offset))
		die("%zu bytes at %p: at %zu %#lx, not %#lx", buffer->bytes,
		    (void *)buffer->address, offset, (unsigned long)found,
		    (unsigned long)tag_of(buffer, offset));
}

static void check_tags(const struct buffer *buffer, size_t bytes)
{
	for (size_t i = 0; i + 8 <= bytes; i += 4096)
		check_word(buffer, i);
	if (bytes == buffer->bytes)
		check_word(buffer, last_word(bytes));
}

/* All octaves are equally likely. */
static size_t any_size(struct rng *rng)
{
	size_t octave = SMALLEST << rng_below(rng, 16);

	return octave + rng_below(rng, octave) / 8 * 8;
}

static size_t next_size(struct rng *rng, size_t bytes)
{
	switch (rng_below(rng, 3)) {
	case 0:
		return any_size(rng);
	case 1:
		return bytes + bytes / 8 + 8 < LARGEST ? (bytes + bytes / 8 + 8) & ~(size_t)7 :
							 any_size(rng);
	default:
		return bytes > 2 * SMALLEST ? (bytes - bytes / 4) & ~(size_t)7 : any_size(rng);
	}
}

static void resize(struct buffer *buffer, size_t bytes)
{
	size_t old_bytes = buffer->bytes, kept = bytes < old_bytes ? bytes : old_bytes;

	buffer->address = stitch_realloc(buffer->address, bytes);
	if (!buffer->address)
		die("realloc from %zu to %zu answered NULL", old_bytes, bytes);
	check_tags(buffer, kept);
	buffer->bytes = bytes;
	set_tags(buffer, kept);
}

static void step(struct worker *worker)
{
	struct buffer *buffer = &worker->buffers[rng_below(&worker->rng, BUFFERS)];
	void **other = &worker->others[rng_below(&worker->rng, OTHERS)];

	stitch_free(*other);
	*other = stitch_malloc(any_size(&worker->rng) / 16);
	*(volatile char *)*other = 1;
	check_tags(buffer, buffer->bytes);
	resize(buffer, next_size(&worker->rng, buffer->bytes));
	if (!rng_below(&worker->rng, 32)) { /* what is freed serves again */
		stitch_free(buffer->address);
		buffer->address = stitch_malloc(buffer->bytes);
		set_tags(buffer, 0);
	}
	atomic_fetch_add(&nr_steps, 1);
}

static void fork_beside(struct worker *worker)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		die("fork: %s", strerror(errno));
	for (unsigned int i = 0; i < CHILD_STEPS; i++)
		step(worker);
	if (!child) {
		for (unsigned int i = 0; i < BUFFERS; i++) {
			check_tags(&worker->buffers[i], worker->buffers[i].bytes);
			stitch_free(worker->buffers[i].address);
		}
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status)
		die("a child ended with %#x", (unsigned int)status);
}

static bool is_over(void)
{
	return nr_wanted ? nr_steps >= nr_wanted : seconds_now() >= end;
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	for (unsigned int i = 0; i < BUFFERS; i++) {
		struct buffer *buffer = &worker->buffers[i];

		*buffer = (struct buffer){ .bytes = SMALLEST, .seed = worker->rng.state + i };
		buffer->address = stitch_malloc(SMALLEST);
		set_tags(buffer, 0);
	}
	while (!is_over()) {
		step(worker);
		if (worker->may_fork && !rng_below(&worker->rng, 64))
			fork_beside(worker);
	}
	for (unsigned int i = 0; i < BUFFERS; i++) {
		check_tags(&worker->buffers[i], worker->buffers[i].bytes);
		stitch_free(worker->buffers[i].address);
	}
	for (unsigned int i = 0; i < OTHERS; i++)
		stitch_free(worker->others[i]);
	return NULL;
}

/* In the window: one part of the heap, with HIGH two, and what is not opened. */
static void expect_few_maps(const char *name)
{
	long nr_maps = os_count_maps(mm_map.base, mm_map.base + mm_map.nr_pages * PAGE_SIZE);

	if (nr_maps <= 0 || nr_maps > 3)
		die("%s: the heap consists of %ld mappings", name, nr_maps);
}

static void report(const char *name)
{
	struct mapping_counts counts;

	mapping_count(&counts);
	printf("%s: %lu steps, %zu pages relocated, %zu blocks moved out, %zu moves, %zu reused\n",
	       name, (unsigned long)nr_steps, stitch_counts.relocated, counts.nr_moved_in,
	       counts.nr_moved, counts.nr_reused);
	if (counts.nr_live)
		die("%s: %zu mappings are lost", name, counts.nr_live);
}

static void run_mode(const char *name, double seconds)
{
	static struct worker workers[THREADS];
	pthread_t threads[THREADS];

	end = seconds_now() + seconds;
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .rng.state = i + 1, .may_fork = i == 0 };
		thread_start(&threads[i], work, &workers[i]);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (!heap_is_valid())
		die("%s: the heap's invariants do not hold", name);
	expect_nothing_live();
	expect_few_maps(name);
	report(name);
}

/* With these settings from the first call on. */
static void begin(unsigned int stitch)
{
	stitch_free(stitch_malloc(1));
	params.stitch = stitch;
}

static void always(double seconds)
{
	begin(STITCH_UFFD);
	run_mode("always", seconds);
	if (mover_error())
		printf("always: pages cannot be moved here: error %d\n", -mover_error());
}

static void by_cost(double seconds)
{
	begin(STITCH_AUTO);
	run_mode("by cost", seconds);
}

static void never(double seconds)
{
	begin(STITCH_OFF);
	run_mode("never", seconds);
}

static void gathered(double seconds)
{
	begin(STITCH_MREMAP);
	run_mode("gathered", seconds);
}

static void locked(double seconds)
{
	begin(STITCH_AUTO);
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		printf("locked: mlockall: %s\n", strerror(errno));
	else
		run_mode("locked", seconds);
}

int main(void)
{
	static void (*const modes[])(double) = { always, by_cost, never, gathered, locked };
	double seconds = (stress_end() - seconds_now()) / ARRAY_SIZE(modes);

	nr_wanted = getenv("STRESS_STEPS") ? strtoul(getenv("STRESS_STEPS"), NULL, 10) : 0;
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
