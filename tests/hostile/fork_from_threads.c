/*
 * fork by threads in odd states: one that has never allocated, one whose thread-specific data is
 * being destroyed, in every round of it, while other threads start, fork and end. The child is
 * a process whose one thread is not the first: it allocates, ends that thread, and with it itself.
 */
#include "hostile/fork.h"

#define NR_FORKERS 3u
#define NR_OBJECTS 32u
#define STACK_BYTES KIB(32)

enum when { AT_START, AFTER_WORK, IN_DESTRUCTOR, IN_LAST_DESTRUCTOR, NR_WHENS };

struct life {
	enum when when;
	unsigned int nr_rounds;
	pid_t child; /* 0 in the child itself */
	bool forked;
	struct rng rng;
};

static struct object all_objects[NR_FORKERS][NR_OBJECTS]; /* of the threads that start the others */
static pthread_key_t key;
static double end;

static void fork_here(struct life *life)
{
	life->child = fork();
	CHECK(life->child >= 0, "fork: %s", strerror(errno));
	life->forked = true;
	if (life->child)
		return;
	child_begins();
	expect_whole_heap();
	for (unsigned int i = 0; i < NR_FORKERS; i++)
		objects_inherited(all_objects[i], NR_OBJECTS, &life->rng);
}

static void work(struct rng *rng)
{
	struct object objects[8] = { 0 };

	objects_steps(objects, ARRAY_SIZE(objects), rng, 32);
	objects_free(objects, ARRAY_SIZE(objects));
}

/* The allocator's own destructor runs in the first round; libc calls ours in four. */
static void destroys(void *argument)
{
	struct life *life = argument;

	life->nr_rounds++;
	if (life->nr_rounds == 1 && life->when == IN_DESTRUCTOR)
		fork_here(life);
	if (life->nr_rounds == 4 && life->when == IN_LAST_DESTRUCTOR)
		fork_here(life);
	work(&life->rng);
	if (life->nr_rounds < 4)
		pthread_setspecific(key, life);
}

static void *lives(void *argument)
{
	struct life *life = argument;

	if (life->when == AT_START)
		fork_here(life);
	pthread_setspecific(key, life);
	work(&life->rng);
	if (life->when == AFTER_WORK)
		fork_here(life);
	work(&life->rng);
	return NULL; /* in the child, whose last thread this is: exit(0) */
}

static void live_once(enum when when, struct rng *rng)
{
	struct life life = { .when = when, .rng.state = rng_next(rng) };
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	pthread_attr_init(&attributes);
	CHECK(!pthread_attr_setstacksize(&attributes, STACK_BYTES), "pthread_attr_setstacksize");
	error = pthread_create(&thread, &attributes, lives, &life);
	CHECK(!error, "pthread_create: %s", strerror(error));
	pthread_attr_destroy(&attributes);
	pthread_join(thread, NULL);
	CHECK(life.forked && life.nr_rounds == 4, "the thread did not fork");
	expect_success_of(life.child);
}

static void *starts_lives(void *argument)
{
	size_t self = (size_t)argument;
	struct rng rng = { .state = self };

	do {
		objects_steps(all_objects[self], NR_OBJECTS, &rng, 16);
		live_once((enum when)rng_below(&rng, NR_WHENS), &rng);
	} while (seconds_now() < end);
	objects_free(all_objects[self], NR_OBJECTS);
	return NULL;
}

int main(void)
{
	pthread_t threads[NR_FORKERS];

	end = test_begin(3);
	test_step = "threads start, fork and end";
	CHECK(!pthread_key_create(&key, destroys), "pthread_key_create");
	for (size_t i = 0; i < NR_FORKERS; i++)
		thread_start(&threads[i], starts_lives, (void *)i);
	for (size_t i = 0; i < NR_FORKERS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
