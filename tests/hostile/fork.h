/*
 * fork.h - what the fork programs share: a watchdog that says where it hangs, tagged objects, and
 * children that must end well.
 *
 * An object's tag depends on its number, size and offset (fuzz/tag.h), so that two objects that
 * overlap cannot both be right. An object is `busy` while a call that makes, resizes or frees it
 * is under way: a child of a fork passes over those of threads that it does not have.
 *
 * STRESS_SECONDS in the environment says how long a program goes on; programs include this once.
 */
#ifndef HOSTILE_FORK_H
#define HOSTILE_FORK_H

#include "semantics/check.h" /* first: it asks for GNU's names */

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "fuzz/tag.h"

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/* No measures of speed: children need milliseconds, but a page fault may cost tens of us. */
#define CHILD_HANG_SECONDS 50u
#define PROGRAM_HANG_SECONDS 250u /* on top of what the program is to take */

/*
 * What the process is at, for the watchdog's line. Weak: the program and the libraries that it is
 * linked with share one.
 */
#define SHARED_BY_ALL __attribute__((weak, visibility("default")))
SHARED_BY_ALL const char *_Atomic test_step = "starting";
SHARED_BY_ALL _Atomic unsigned long nr_forks;
SHARED_BY_ALL pid_t test_group;

/* What each thread is at. A child of vfork, since the program may hang in its handlers of forks. */
static void describe_threads(void)
{
	char command[160];
	int self = getpid();
	pid_t child;

	snprintf(command, sizeof(command),
		 "cd /proc/%d/task && grep -s . */stat */wchan */syscall >&2", self);
	child = vfork();
	if (!child) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
}

/* Ends the children, too: one of them may hang where it cannot bark itself. */
static void watchdog_bark(int signal_number)
{
	char text[256];
	int length = snprintf(text, sizeof(text), "%s %s hangs after %lu forks: %s\n",
			      program_invocation_short_name,
			      getpid() == test_group ? "itself" : "(a child)", nr_forks, test_step);

	(void)signal_number;
	if (write(2, text, (size_t)length) < 0)
		_exit(2);
	describe_threads();
	if (getpgrp() == test_group)
		kill(0, SIGKILL);
	_exit(1);
}

static inline void watchdog_start(unsigned int seconds)
{
	test_group = getpid();
	setpgid(0, 0); /* refused to the leader of a session, who has a group of his own */
	signal(SIGALRM, watchdog_bark);
	alarm(seconds);
}

static inline double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline double test_seconds(double quick)
{
	const char *text = getenv("STRESS_SECONDS");

	return text ? atof(text) : quick;
}

static inline double test_begin(double quick)
{
	double seconds = test_seconds(quick);

	watchdog_start((unsigned int)seconds + PROGRAM_HANG_SECONDS);
	return seconds_now() + seconds;
}

static inline size_t resident_bytes(void)
{
	unsigned long total, resident;
	char text[128] = "";
	FILE *file = fopen("/proc/self/statm", "r");

	CHECK(file && fgets(text, sizeof(text), file), "/proc/self/statm");
	fclose(file);
	CHECK(sscanf(text, "%lu %lu", &total, &resident) == 2, "/proc/self/statm: %s", text);
	return resident * 4096;
}

struct object {
	size_t bytes;
	unsigned char *_Atomic at; /* NULL: none */
	uint64_t id;
	_Atomic bool busy;
};

static inline void object_check(const struct object *object)
{
	size_t bad = tag_block_check(object->at, object->id, object->bytes, object->bytes);

	CHECK(bad == TAG_OK, "%s: byte %zu of %zu at %p changed", test_step, bad, object->bytes,
	      (void *)object->at);
}

static inline void object_new(struct object *object, size_t bytes)
{
	static _Atomic uint64_t next_id;
	unsigned char *at;

	object->busy = true;
	at = malloc(bytes);
	CHECK(at, "%s: malloc(%zu)", test_step, bytes);
	object->bytes = bytes;
	object->id = next_id++;
	tag_block(at, object->id, bytes);
	object->at = at;
	object->busy = false;
}

static inline void object_free(struct object *object)
{
	void *at = object->at;

	if (!at)
		return;
	object_check(object);
	object->busy = true;
	object->at = NULL;
	free(at);
	object->busy = false;
}

static inline void object_resize(struct object *object, size_t bytes)
{
	size_t kept = bytes < object->bytes ? bytes : object->bytes;
	unsigned char *at = object->at;
	size_t bad;

	object_check(object);
	object->busy = true;
	at = realloc(at, bytes);
	CHECK(at, "%s: realloc(%zu)", test_step, bytes);
	bad = tag_block_check(at, object->id, object->bytes, kept);
	CHECK(bad == TAG_OK, "%s: realloc from %zu to %zu: byte %zu changed", test_step,
	      object->bytes, bytes, bad);
	object->bytes = bytes;
	tag_block(at, object->id, bytes);
	object->at = at;
	object->busy = false;
}

/* The three routes of malloc. */
static inline size_t small_size(struct rng *rng)
{
	return 1 + rng_below(rng, (size_t)16 << rng_below(rng, 10));
}

static inline size_t run_size(struct rng *rng)
{
	return KIB(9) + rng_below(rng, KIB(32) << rng_below(rng, 7)) * 98 / 100;
}

static inline size_t large_size(struct rng *rng)
{
	return MIB(2) + 4096 + rng_below(rng, MIB(3));
}

static inline size_t any_size(struct rng *rng)
{
	size_t place = rng_below(rng, 256);

	if (place < 2)
		return large_size(rng);
	return place < 32 ? run_size(rng) : small_size(rng);
}

/* One step in the life of some objects: make, resize or free one of them. */
static inline void objects_step(struct object *objects, size_t count, struct rng *rng)
{
	struct object *object = &objects[rng_below(rng, count)];

	if (!object->at)
		object_new(object, any_size(rng));
	else if (rng_below(rng, 4) == 0)
		object_resize(object, any_size(rng));
	else
		object_free(object);
}

static inline void objects_steps(struct object *objects, size_t count, struct rng *rng,
				 unsigned int nr_steps)
{
	while (nr_steps--)
		objects_step(objects, count, rng);
}

/*
 * A quick burst of one route, with nothing but calls of malloc, realloc and free: wherever a fork
 * or a signal falls, it falls into one of them.
 */
static inline void untagged_burst(struct rng *rng)
{
	void *blocks[16];
	size_t route = rng_below(rng, 3);

	for (unsigned int i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = malloc(route == 0	? small_size(rng)
				   : route == 1 ? run_size(rng)
						: large_size(rng));
	/* Mostly to sizes that need little copying: a signal amid a copy tells least. */
	for (unsigned int i = 0; i < ARRAY_SIZE(blocks); i += 4) {
		void *moved = realloc(blocks[i], i ? small_size(rng) : run_size(rng));

		CHECK(moved, "%s: realloc", test_step);
		blocks[i] = moved;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(blocks); i++)
		free(blocks[i]);
}

/* All objects, or in a child those that no vanished thread was at. */
static inline void objects_check(struct object *objects, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!objects[i].busy && objects[i].at)
			object_check(&objects[i]);
}

static inline void objects_free(struct object *objects, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!objects[i].busy)
			object_free(&objects[i]);
}

/* What a child does to objects that it has inherited: each kind of call. */
static inline void objects_inherited(struct object *objects, size_t count, struct rng *rng)
{
	test_step = "the child checks inherited objects";
	objects_check(objects, count);
	test_step = "the child frees and resizes inherited objects";
	for (size_t i = 0; i < count; i++) {
		if (objects[i].busy || !objects[i].at)
			continue;
		if (i % 3 == 0)
			object_free(&objects[i]);
		else if (i % 3 == 1)
			object_resize(&objects[i], any_size(rng));
	}
}

static inline void thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
	int error = pthread_create(thread, NULL, run, argument);

	CHECK(!error, "%s: pthread_create: %s", test_step, strerror(error));
}

/*
 * A child of fork, made with all handlers, has the heap as its parent has: what is freed is what
 * the next call gets. Not so where a call is served without the heap, since some lock is lost.
 */
static inline void expect_whole_heap(void)
{
	void *first = NULL, *second = NULL;

	for (unsigned int i = 0; on_stitchmalloc() && i < 3; i++) {
		first = malloc(100);
		free(launder(first));
		second = malloc(100);
		free(launder(second));
		if (first == second)
			return;
	}
	CHECK(first == second, "the child has lost its parent's heap");
}

/* A child that has much to do says now and then that it is alive. */
static inline void child_goes_on(void)
{
	alarm(CHILD_HANG_SECONDS);
}

/* The first thing that a child does. */
static inline void child_begins(void)
{
	test_step = "the child begins";
	child_goes_on();
}

static inline void expect_success_of(pid_t child)
{
	int status;

	test_step = "waiting for the child";
	while (waitpid(child, &status, 0) < 0)
		CHECK(errno == EINTR, "waitpid: %s", strerror(errno));
	CHECK(!status, "the child's status is %#x", (unsigned int)status);
	nr_forks++;
}

/* fork, which must return, with a child that is watched. */
static inline pid_t fork_watched(pid_t (*how)(void))
{
	pid_t child;

	test_step = "forking";
	child = how();
	CHECK(child >= 0, "fork: %s", strerror(errno));
	if (!child)
		child_begins();
	test_step = "after the fork";
	return child;
}

#endif
