/*
 * Children of children: each of eight generations forks while threads of its own allocate, start
 * and end, and its child checks and uses what all the generations before it have made. (glibc
 * promises the same but for _Fork.)
 */
#include "hostile/fork.h"

#define NR_GENERATIONS 8u
#define NR_THREADS 2u
#define WITHOUT_HANDLERS 4u /* every fourth generation is born by _Fork */
#define NR_OBJECTS 32u

static struct object all_objects[NR_GENERATIONS][NR_THREADS + 1][NR_OBJECTS];
static unsigned int generation;
static _Atomic bool stop;

static void *allocates(void *argument)
{
	struct object *objects = all_objects[generation][(size_t)argument];
	struct rng rng = { .state = generation * NR_THREADS + (uint64_t)argument };

	while (!stop) {
		objects_step(objects, NR_OBJECTS, &rng);
		untagged_burst(&rng);
	}
	return NULL;
}

/* glibc resets the locks of pthread_create at fork, not at _Fork. */
static bool forks_with_handlers(void)
{
	return !on_stitchmalloc() || (generation + 1) % WITHOUT_HANDLERS;
}

static void *lives_briefly(void *unused)
{
	free(launder(malloc(100)));
	return unused;
}

static void *starts_threads(void *unused)
{
	while (!stop) {
		pthread_t thread;

		thread_start(&thread, lives_briefly, NULL);
		pthread_join(thread, NULL);
	}
	return unused;
}

static void use_inheritance(struct rng *rng)
{
	for (unsigned int i = 0; i < generation; i++)
		for (unsigned int j = 0; j <= NR_THREADS; j++)
			objects_inherited(all_objects[i][j], NR_OBJECTS, rng);
}

static void live(struct rng *rng);

static void beget(struct rng *rng)
{
	pid_t child = fork_watched(forks_with_handlers() ? fork : _Fork);

	if (child) {
		objects_steps(all_objects[generation][NR_THREADS], NR_OBJECTS, rng, 50);
		expect_success_of(child);
		return;
	}
	generation++;
	stop = false;
	rng->state += generation;
	if (generation < WITHOUT_HANDLERS)
		expect_whole_heap();
	use_inheritance(rng);
	live(rng);
	_exit(0);
}

static void live(struct rng *rng)
{
	struct object *objects = all_objects[generation][NR_THREADS];
	pthread_t threads[NR_THREADS], starter;
	bool has_starter = forks_with_handlers();

	test_step = "a generation lives";
	if (has_starter)
		thread_start(&starter, starts_threads, NULL);
	for (size_t i = 0; i < NR_THREADS; i++)
		thread_start(&threads[i], allocates, (void *)i);
	objects_steps(objects, NR_OBJECTS, rng, 200);
	if (generation + 1 < NR_GENERATIONS)
		beget(rng);
	test_step = "a generation ends";
	stop = true;
	for (size_t i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	if (has_starter)
		pthread_join(starter, NULL);
	for (unsigned int i = 0; i <= generation; i++)
		for (unsigned int j = 0; j <= NR_THREADS; j++)
			objects_free(all_objects[i][j], NR_OBJECTS);
	stop = false;
}

int main(void)
{
	double end = test_begin(4);
	struct rng rng = { 0 };

	do
		live(&rng);
	while (seconds_now() < end);
	return 0;
}
