/*
 * Children of children: each of eight generations forks while two threads of its own allocate, and
 * its child checks and uses what all the generations before it have made.
 */
#include "hostile/fork.h"

#define NR_GENERATIONS 8u
#define NR_THREADS 2u
#define NR_OBJECTS 32u

static struct object all_objects[NR_GENERATIONS][NR_THREADS + 1][NR_OBJECTS];
static unsigned int generation;
static _Atomic bool stop;

static void *allocates(void *argument)
{
	struct object *objects = all_objects[generation][(size_t)argument];
	struct rng rng = {.state = generation * NR_THREADS + (uint64_t)argument};

	while (!stop) {
		objects_step(objects, NR_OBJECTS, &rng);
		untagged_burst(&rng);
	}
	return NULL;
}

static void use_inheritance(struct rng *rng)
{
	for (unsigned int i = 0; i < generation; i++)
		for (unsigned int j = 0; j <= NR_THREADS; j++)
			objects_inherited(all_objects[i][j], NR_OBJECTS, rng);
}

/* What glibc promises is the same, but for _Fork, which every other generation uses. */
static pid_t (*way_of_fork(void))(void)
{
	return on_stitchmalloc() && generation % 4 == 3 ? _Fork : fork;
}

static void live(struct rng *rng);

static void beget(struct rng *rng)
{
	pid_t child = fork_watched(way_of_fork());

	if (child) {
		objects_steps(all_objects[generation][NR_THREADS], NR_OBJECTS, rng, 50);
		expect_success_of(child);
		return;
	}
	generation++;
	stop = false;
	rng->state += generation;
	use_inheritance(rng);
	live(rng);
	_exit(0);
}

static void live(struct rng *rng)
{
	struct object *objects = all_objects[generation][NR_THREADS];
	pthread_t threads[NR_THREADS];

	test_step = "a generation lives";
	for (size_t i = 0; i < NR_THREADS; i++)
		thread_start(&threads[i], allocates, (void *)i);
	objects_steps(objects, NR_OBJECTS, rng, 200);
	if (generation + 1 < NR_GENERATIONS)
		beget(rng);
	test_step = "a generation ends";
	stop = true;
	for (size_t i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i <= generation; i++)
		for (unsigned int j = 0; j <= NR_THREADS; j++)
			objects_free(all_objects[i][j], NR_OBJECTS);
	stop = false;
}

int main(void)
{
	double end = test_begin(4);
	struct rng rng = {0};

	do
		live(&rng);
	while (seconds_now() < end);
	return 0;
}
