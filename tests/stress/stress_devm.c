/*
 * stress_devm.c - threads that share devices: each acquires memory and actions, frees, resizes,
 * opens and releases groups of its own; others release whole devices meanwhile; the main thread
 * forks, and the child releases what its copies of the devices have.
 *
 * Objects hold their number and are found so; each action runs once. At the end all actions have
 * run or been removed, and the heap has nothing left.
 *
 * A device that only one thread releases keeps the order: of its own actions, and of those of a
 * thread that adds to it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/wait.h>

#include "stress.h"

#include "init/mm_init.h"
#include "stitch/devm.h"
#include "stitch/slab.h"

#define NR_THREADS 5
#define NR_DEVICES 2
#define NR_ACTIONS 200
#define MAX_ADDED 5000 /* by another thread: a release goes on as long as more comes */
#define KERNEL STITCH_GFP_KERNEL
#define HANG_SECONDS 60

static struct stitch_device shared[NR_DEVICES];
static _Atomic bool stop;
static _Atomic long nr_owed; /* actions that have neither run nor been removed */
static _Atomic unsigned long nr_rounds;

/* What an action is given: freed by it, so that a second run shows. */
struct token {
	_Atomic uint64_t state; /* TOKEN_LIVE until it has run */
};
#define TOKEN_LIVE 0x6c697665u

static void run_action(void *data)
{
	struct token *token = data;

	if (atomic_exchange(&token->state, 0) != TOKEN_LIVE)
		die("an action ran twice");
	atomic_fetch_sub(&nr_owed, 1);
	stitch_kfree(token);
}

static struct token *add_action(struct stitch_device *device)
{
	struct token *token = stitch_kmalloc(sizeof(*token), KERNEL);

	if (!token)
		die("no token");
	token->state = TOKEN_LIVE;
	atomic_fetch_add(&nr_owed, 1);
	if (stitch_devm_add_action(device, run_action, token))
		die("no action");
	return token;
}

/* --- shared devices: anybody may release anything at any time --------------------------------- */

/* Nobody may touch what is there: it may be released already. */
static void use_shared(struct rng *rng)
{
	struct stitch_device *device = &shared[rng_below(rng, NR_DEVICES)];
	int id;

	if (!stitch_devres_open_group(device, &id, KERNEL))
		die("no group");
	for (size_t n = rng_below(rng, 20); n; n--) {
		if (!stitch_devm_kmalloc(device, stress_size(rng) % 3000 + 1, KERNEL))
			die("no memory");
		add_action(device);
	}
	if (rng_below(rng, 2))
		stitch_devres_close_group(device, &id);
	if (rng_below(rng, 20) == 0)
		stitch_device_release(device);
	else if (rng_below(rng, 3))
		stitch_devres_release_group(device, &id);
	else
		stitch_devres_remove_group(device, &id);
}

/* --- a device of its own, to which another thread adds ---------------------------------------- */

struct own {
	struct stitch_device device;
	int nr_run; /* actions of numbers, downward */
};

struct numbered {
	struct own *own;
	int number;
};

static void run_numbered(void *data)
{
	struct numbered *numbered = data;

	if (numbered->number != --numbered->own->nr_run)
		die("action %d ran out of its order", numbered->number);
	atomic_fetch_sub(&nr_owed, 1);
}

static void fill_own(struct own *own, struct rng *rng)
{
	for (own->nr_run = 0; own->nr_run < NR_ACTIONS; own->nr_run++) {
		struct numbered *numbered = stitch_devm_kmalloc(&own->device, sizeof(*numbered),
								KERNEL);
		uint64_t *object = stitch_devm_kzalloc(&own->device, 64, KERNEL);

		if (!numbered || !object || *object)
			die("no memory");
		*numbered = (struct numbered){ .own = own, .number = own->nr_run };
		*object = rng_next(rng);
		atomic_fetch_add(&nr_owed, 1);
		if (stitch_devm_add_action(&own->device, run_numbered, numbered))
			die("no action");
		if (own->nr_run % 3 == 0) {
			uint64_t value = *object;

			object = stitch_devm_krealloc(&own->device, object, 5000, KERNEL);
			if (!object || *object != value)
				die("krealloc has lost a number");
		}
		if (own->nr_run % 2)
			stitch_devm_kfree(&own->device, object);
	}
}

struct adder {
	struct own *own;
	_Atomic bool is_done;
	unsigned long nr;
};

static void *adder(void *argument)
{
	struct adder *adder = argument;

	while (!adder->is_done && !stop && adder->nr < MAX_ADDED) {
		if (!stitch_devm_kmalloc(&adder->own->device, 100, KERNEL))
			die("no memory");
		adder->nr++;
		if (adder->nr % 50 == 0)
			sched_yield();
	}
	return NULL;
}

/* Exactly what was put in comes out, in its order, though another thread adds meanwhile. */
static void use_own(struct rng *rng)
{
	struct own own;
	struct adder other = { .own = &own };
	pthread_t thread;
	unsigned long nr = 0;

	stitch_device_init(&own.device, "own");
	thread_start(&thread, adder, &other);
	fill_own(&own, rng);
	nr += (unsigned long)stitch_device_release(&own.device);
	other.is_done = true;
	pthread_join(thread, NULL);
	nr += (unsigned long)stitch_device_release(&own.device);
	if (own.nr_run || nr != other.nr + NR_ACTIONS * 2 + NR_ACTIONS / 2)
		die("%lu resources instead of %lu, %d actions have not run", nr,
		    other.nr + NR_ACTIONS * 2 + NR_ACTIONS / 2, own.nr_run);
}

static void *thread(void *number)
{
	struct rng rng = { .state = (uintptr_t)number };

	while (!stop) {
		for (int n = 0; n < 200 && !stop; n++)
			use_shared(&rng);
		use_own(&rng);
		atomic_fetch_add(&nr_rounds, 1);
	}
	return NULL;
}

/* --- fork ------------------------------------------------------------------------------------- */

/* What absent threads were about has not come to its end: the rest is whole. */
static void child(void)
{
	struct stitch_device_resources resources;

	alarm(HANG_SECONDS);
	for (unsigned int i = 0; i < NR_DEVICES; i++) {
		int released;

		if (stitch_device_usage(&shared[i], &resources))
			die("child: no usage");
		released = stitch_device_release(&shared[i]);
		if (released < 0 || (unsigned long)released != resources.nr_resources)
			die("child: %d of %lu resources", released, resources.nr_resources);
		add_action(&shared[i]);
		if (stitch_device_release(&shared[i]) != 1)
			die("child: the device is not empty");
	}
	_exit(0);
}

static void fork_one(void)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid)
		child();
	if (waitpid(pid, &status, 0) != pid || status)
		die("a child ended with %#x", status);
	usleep(1000);
}

int main(void)
{
	pthread_t threads[NR_THREADS];
	double end = stress_end();
	unsigned int nr_forks = 0;

	for (unsigned int i = 0; i < NR_DEVICES; i++)
		stitch_device_init(&shared[i], "shared");
	add_action(&shared[0]); /* boots the heap, whose handlers are left to us */
	pthread_atfork(mm_fork_prepare, mm_fork_parent, mm_fork_child);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		thread_start(&threads[i], thread, (void *)(i + 1)); // NOLINT
	while (seconds_now() < end) {
		if (SANITIZED) { /* their runtimes do not outlive a fork of several threads */
			usleep(1000);
			continue;
		}
		fork_one();
		nr_forks++;
	}
	stop = true;
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < NR_DEVICES; i++)
		stitch_device_release(&shared[i]);
	if (nr_owed)
		die("%ld actions have not run", nr_owed);
	expect_nothing_live();
	printf("%lu rounds, %u forks\n", nr_rounds, nr_forks);
	return 0;
}
