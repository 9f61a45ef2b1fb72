/*
 * stress_memcg.c - threads that go from group to group: each allocates in whichever it is in,
 * leaves blocks for others, who free them in other groups; groups of their own come and go; the
 * main thread forks, in a group, too.
 *
 * Every block is charged to the group that it was made in until it is freed. At the end nothing is
 * charged to anybody, and the zone's sums are right.
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
#include "mm/emergency.h"
#include "mm/zone.h"
#include "stitch/memcontrol.h"

#define NR_THREADS 5
#define NR_GROUPS 6
#define NR_SHARED 500
#define NR_AT_A_TIME 50
#define HANG_SECONDS 60

struct charged {
	struct block block;
	struct stitch_mem_cgroup *group;
};

static struct stitch_mem_cgroup *groups[NR_GROUPS]; /* one is none; others lie within others */
static struct charged shared[NR_SHARED];
static pthread_mutex_t locks[NR_SHARED];
static _Atomic bool stop;
static _Atomic unsigned long nr_rounds, nr_refused, nr_emergencies;

static void check(const struct charged *charged)
{
	if (charged->block.address &&
	    stitch_mem_cgroup_from_obj(charged->block.address) != charged->group)
		die("a block of %zu bytes is not its group's", charged->block.bytes);
}

static void renew(struct charged *charged, struct rng *rng)
{
	check(charged);
	block_free(&charged->block);
	block_new(&charged->block, stress_size(rng));
	charged->group = stitch_mem_cgroup_from_obj(charged->block.address);
	if (charged->group == stitch_get_active_memcg())
		return;
	atomic_fetch_add(&nr_emergencies, 1);
	/* While another thread forks it is emergency memory, and nobody's. */
	if (!emergency_contains(charged->block.address))
		die("a block of %zu bytes is another group's", charged->block.bytes);
}

/* Where it has to move it becomes the thread's group's. */
static void resize(struct charged *charged, struct rng *rng)
{
	if (!charged->block.address)
		return;
	check(charged);
	block_resize(&charged->block, stress_size(rng));
	charged->group = stitch_mem_cgroup_from_obj(charged->block.address);
}

static void work_at_shared(struct rng *rng)
{
	for (int i = 0; i < NR_AT_A_TIME; i++) {
		size_t n = rng_below(rng, NR_SHARED);

		pthread_mutex_lock(&locks[n]);
		if (rng_below(rng, 8))
			renew(&shared[n], rng);
		else
			resize(&shared[n], rng);
		pthread_mutex_unlock(&locks[n]);
	}
}

/* Its blocks may live on, as the shared ones of nobody. */
static void use_own_group(struct rng *rng)
{
	struct stitch_mem_cgroup *parent = groups[rng_below(rng, NR_GROUPS)];
	struct stitch_mem_cgroup *group = stitch_mem_cgroup_create("own", parent, KIB(256));
	struct block blocks[NR_AT_A_TIME];
	void *large;

	if (!group)
		die("no group");
	stitch_set_active_memcg(group);
	for (int i = 0; i < NR_AT_A_TIME; i++)
		block_new(&blocks[i], 1 + rng_below(rng, 1000));
	large = stitch_malloc(MIB(1));
	nr_refused += !large;
	if (large && stitch_mem_cgroup_from_obj(large)) /* else it is emergency memory, at a fork */
		die("more than the group may have");
	stitch_free(large);
	stitch_set_active_memcg(NULL);
	if (stitch_mem_cgroup_destroy(group))
		die("the group is not destroyed");
	for (int i = 0; i < NR_AT_A_TIME; i++)
		block_free(&blocks[i]);
}

static void *thread(void *number)
{
	struct rng rng = { .state = (uintptr_t)number };

	while (!stop) {
		for (int n = 0; n < 100 && !stop; n++) {
			stitch_set_active_memcg(groups[rng_below(&rng, NR_GROUPS)]);
			work_at_shared(&rng);
		}
		stitch_set_active_memcg(NULL);
		use_own_group(&rng);
		atomic_fetch_add(&nr_rounds, 1);
	}
	return NULL;
}

/* Threads that end in a group, with all that they have. */
static void *guest(void *number)
{
	struct rng rng = { .state = (uintptr_t)number };

	stitch_set_active_memcg(groups[rng_below(&rng, NR_GROUPS)]);
	work_at_shared(&rng);
	return NULL;
}

static void child(struct rng *rng)
{
	struct charged own = { 0 };

	alarm(HANG_SECONDS);
	for (int i = 0; i < NR_AT_A_TIME; i++)
		renew(&own, rng);
	stitch_set_active_memcg(NULL);
	block_free(&own.block);
	use_own_group(rng);
	if (!validate_zone())
		die("child: the zone's sums");
	_exit(0);
}

static void fork_one(struct rng *rng)
{
	int status;
	pid_t pid;

	stitch_set_active_memcg(groups[rng_below(rng, NR_GROUPS)]);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		child(rng);
	if (waitpid(pid, &status, 0) != pid || status)
		die("a child ended with %#x", status);
	stitch_set_active_memcg(NULL);
}

static void main_until(double end)
{
	struct rng rng = { .state = 77 };
	uintptr_t number = 1000;
	pthread_t visitor;

	while (seconds_now() < end) {
		thread_start(&visitor, guest, (void *)number++); // NOLINT
		if (!SANITIZED) /* their runtimes do not outlive a fork of several threads */
			fork_one(&rng);
		pthread_join(visitor, NULL);
		usleep(20000);
	}
}

static void make_groups(void)
{
	static const char *const names[NR_GROUPS] = { NULL, "a", "b", "c", "d", "e" };

	for (int i = 1; i < NR_GROUPS; i++) {
		groups[i] = stitch_mem_cgroup_create(names[i], groups[i / 2], STITCH_MEMCG_MAX);
		if (!groups[i])
			die("no group");
	}
	for (int i = 0; i < NR_SHARED; i++)
		pthread_mutex_init(&locks[i], NULL);
}

static void expect_nothing_charged(void)
{
	struct stitch_mem_cgroup_stat stat;

	stitch_malloc_trim(0);
	for (int i = NR_GROUPS - 1; i > 0; i--) {
		if (stitch_mem_cgroup_read(groups[i], &stat) || stat.current || stat.nr_threads)
			die("group %d: %zu bytes and %u threads are left", i, stat.current,
			    stat.nr_threads);
		if (stitch_mem_cgroup_destroy(groups[i]))
			die("group %d is not destroyed", i);
	}
}

int main(void)
{
	pthread_t threads[NR_THREADS];
	double end = stress_end();

	make_groups(); /* boots the heap, whose handlers are left to us */
	pthread_atfork(mm_fork_prepare, mm_fork_parent, mm_fork_child);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		thread_start(&threads[i], thread, (void *)(i + 1)); // NOLINT
	main_until(end);
	stop = true;
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < NR_SHARED; i++)
		block_free(&shared[i].block);
	expect_nothing_charged();
	if (!validate_zone())
		die("the zone's sums");
	expect_nothing_live();
	printf("%lu rounds, %lu refused, %lu blocks while others forked\n", nr_rounds, nr_refused,
	       nr_emergencies);
	return 0;
}
