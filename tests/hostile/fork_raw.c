/*
 * _Fork and raw clone run no handlers: the child gets the heap as the moment found it, with other
 * threads amid their slow paths, which it does not have. It must find every object whole, free and
 * resize old ones, make new ones; it may live long, fork again, and start threads of its own.
 */
#include "hostile/fork.h"

#define NR_THREADS 3u
#define NR_OBJECTS 64u
#define NR_MAILS 64u
#define LONG_LIFE_STEPS 4000u /* of eight calls and more */
#define LONG_LIVES 10u	      /* one after the other, with STRESS_SECONDS */
#define GROWTH_MAX MIB(48)

static struct object all_objects[NR_THREADS + 1][NR_OBJECTS];
static void *_Atomic mails[NR_MAILS]; /* memory that one thread makes and another frees */
static _Atomic bool stop;

static pid_t clone_raw(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void exchange_mail(struct rng *rng)
{
	free(atomic_exchange(&mails[rng_below(rng, NR_MAILS)], malloc(any_size(rng))));
}

static void live(struct object *objects, struct rng *rng, unsigned int nr_steps)
{
	while (nr_steps--) {
		objects_step(objects, NR_OBJECTS, rng);
		for (unsigned int i = 0; i < 6; i++)
			exchange_mail(rng);
		if (nr_steps % 16 == 0)
			untagged_burst(rng);
	}
}

static void *allocates(void *argument)
{
	struct object *objects = all_objects[(size_t)argument];
	struct rng rng = { .state = (uint64_t)argument };

	while (!stop)
		live(objects, &rng, 16);
	return NULL;
}

static void live_long(struct object *objects, struct rng *rng)
{
	unsigned int nr_lives = getenv("STRESS_SECONDS") ? LONG_LIVES : 1;
	size_t before;

	test_step = "the child lives long";
	live(objects, rng, LONG_LIFE_STEPS / 2);
	before = resident_bytes();
	while (nr_lives--) {
		child_goes_on();
		live(objects, rng, LONG_LIFE_STEPS);
	}
	CHECK(resident_bytes() < before + GROWTH_MAX, "a child grew from %zu to %zu bytes", before,
	      resident_bytes());
}

static void *child_thread_run(void *argument)
{
	struct rng rng = { .state = (uint64_t)argument };

	live(all_objects[(size_t)argument], &rng, 100);
	return NULL;
}

/* Frees what its parent's vanished threads have made, by threads of its own. */
static void start_threads(void)
{
	pthread_t threads[NR_THREADS];

	test_step = "the child starts threads";
	for (size_t i = 0; i < NR_THREADS; i++)
		thread_start(&threads[i], child_thread_run, (void *)i);
	for (size_t i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void fork_again(struct object *objects, struct rng *rng, pid_t (*how)(void))
{
	pid_t grandchild = fork_watched(how);

	if (!grandchild) {
		test_step = "the grandchild allocates";
		live(objects, rng, 200);
		_exit(0);
	}
	live(objects, rng, 100);
	expect_success_of(grandchild);
}

static _Noreturn void child_run(unsigned long number)
{
	struct object *objects = all_objects[NR_THREADS];
	struct rng rng = { .state = number };

	for (size_t i = 0; i <= NR_THREADS; i++)
		objects_inherited(all_objects[i], NR_OBJECTS, &rng);
	/* What a vanished thread was at is the child's to forget. */
	for (size_t i = 0; i <= NR_THREADS; i++)
		for (size_t j = 0; j < NR_OBJECTS; j++)
			if (all_objects[i][j].busy)
				all_objects[i][j] = (struct object){ 0 };
	test_step = "the child allocates";
	live(objects, &rng, 200);
	if (number % 32 == 3)
		live_long(objects, &rng);
	if (number % 4 == 1)
		start_threads();
	if (number % 4 == 2)
		fork_again(objects, &rng, number % 8 == 2 ? fork : clone_raw);
	test_step = "the child frees everything";
	for (size_t i = 0; i <= NR_THREADS; i++)
		objects_free(all_objects[i], NR_OBJECTS);
	for (size_t i = 0; i < NR_MAILS; i++)
		free(mails[i]);
	_exit(0);
}

int main(void)
{
	double end = test_begin(5);
	pthread_t threads[NR_THREADS];
	struct rng rng = { .state = NR_THREADS };

	live(all_objects[NR_THREADS], &rng, 500);
	for (size_t i = 0; i < NR_THREADS; i++)
		thread_start(&threads[i], allocates, (void *)i);
	do {
		unsigned long number = nr_forks;
		pid_t child = fork_watched(number % 2 ? _Fork : clone_raw);

		if (!child)
			child_run(number / 2);
		live(all_objects[NR_THREADS], &rng, 50);
		expect_success_of(child);
	} while (seconds_now() < end);
	test_step = "the threads end";
	stop = true;
	for (size_t i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i <= NR_THREADS; i++)
		objects_free(all_objects[i], NR_OBJECTS);
	return 0;
}
