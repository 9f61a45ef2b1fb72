/*
 * A fork that waits long: a thread holds a FILE in getline on an empty pipe, another waits for that
 * FILE in fflush(NULL) with the list of files locked, and fork waits for the list. Meanwhile
 * all others must get on: allocate, free each other's objects, resize, start and end. When the
 * pipe is fed at last, the fork happens, and what was allocated meanwhile is memory like any other.
 */
#include "hostile/fork.h"

#include <fcntl.h>

#define NR_CHURNERS 2u
#define NR_OBJECTS 64u
#define NR_MAILS 64u
#define NR_WAITS 4u
#define STEPS_EACH 200u /* that each thread must get done while the fork waits */

static int pipe_ends[2];
static _Atomic bool stop, forked;
static _Atomic pid_t reader_id, flusher_id, forker_id;
static _Atomic unsigned long nr_steps[NR_CHURNERS + 2];
static struct object all_objects[NR_CHURNERS][NR_OBJECTS];
static void *_Atomic mails[NR_MAILS];

static pid_t own_id(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static void *waits_for_line(void *unused)
{
	static FILE *file;
	char *line = NULL;
	size_t room = 0;

	reader_id = own_id();
	if (!file)
		file = fdopen(pipe_ends[0], "r");
	CHECK(file && getline(&line, &room, file) == 5, "getline");
	free(line);
	return unused;
}

static void *flushes(void *unused)
{
	flusher_id = own_id();
	fflush(NULL);
	return unused;
}

static void *forks(void *unused)
{
	struct rng rng = { .state = nr_forks };
	pid_t child;

	forker_id = own_id();
	child = fork();
	CHECK(child >= 0, "fork: %s", strerror(errno));
	if (!child) {
		child_begins();
		expect_whole_heap();
		for (unsigned int i = 0; i < NR_CHURNERS; i++)
			objects_inherited(all_objects[i], NR_OBJECTS, &rng);
		test_step = "the child allocates";
		for (unsigned int i = 0; i < 20; i++)
			untagged_burst(&rng);
		_exit(0);
	}
	forked = true;
	expect_success_of(child);
	return unused;
}

/* Slow enough that a wait of some seconds does not fill the memory. */
static void *churns(void *argument)
{
	size_t self = (size_t)argument;
	struct rng rng = { .state = self };

	while (!stop) {
		objects_step(all_objects[self], NR_OBJECTS, &rng);
		free(atomic_exchange(&mails[rng_below(&rng, NR_MAILS)], malloc(any_size(&rng))));
		nr_steps[self]++;
		usleep(500);
	}
	objects_free(all_objects[self], NR_OBJECTS);
	return NULL;
}

static void *small_churns(void *unused)
{
	struct object objects[NR_OBJECTS] = { 0 };
	struct rng rng = { 0 };

	while (!stop) {
		struct object *object = &objects[rng_below(&rng, NR_OBJECTS)];

		object_free(object);
		object_new(object, small_size(&rng));
		if (nr_steps[NR_CHURNERS]++ % 64 == 0)
			usleep(500);
	}
	objects_free(objects, NR_OBJECTS);
	return unused;
}

static void *lives_briefly(void *argument)
{
	struct rng rng = { .state = (uint64_t)argument };
	struct object objects[8] = { 0 };

	objects_steps(objects, ARRAY_SIZE(objects), &rng, 16);
	objects_free(objects, ARRAY_SIZE(objects));
	return NULL;
}

static void *starts_threads(void *unused)
{
	while (!stop) {
		pthread_t thread;

		thread_start(&thread, lives_briefly, (void *)nr_steps[NR_CHURNERS + 1]);
		pthread_join(thread, NULL);
		nr_steps[NR_CHURNERS + 1]++;
		usleep(500);
	}
	return unused;
}

/* Without stdio: its locks are what the fork waits for. */
static void expect_progress(double seconds)
{
	static const char *const where[] = {
		"the fork waits; the first churner",
		"the fork waits; the second churner",
		"the fork waits; the churner of small objects",
		"the fork waits; starting threads",
	};
	double until = seconds_now() + seconds;

	_Static_assert(ARRAY_SIZE(where) == ARRAY_SIZE(nr_steps), "one each");
	for (unsigned int i = 0; i < ARRAY_SIZE(nr_steps); i++) {
		unsigned long goal = nr_steps[i] + STEPS_EACH;

		test_step = where[i];
		while (nr_steps[i] < goal)
			usleep(1000);
	}
	while (seconds_now() < until)
		usleep(1000);
}

static bool is_asleep(pid_t tid)
{
	char path[64], text[256] = "";
	const char *name_end;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	name_end = strrchr(text, ')');
	return name_end && name_end[1] == ' ' && name_end[2] == 'S';
}

/* The thread has come to wait for what keeps it: it sleeps again and again. */
static void wait_until_asleep(const _Atomic pid_t *tid)
{
	for (unsigned int nr_times = 0; nr_times < 5;) {
		usleep(2000);
		nr_times = *tid && is_asleep(*tid) ? nr_times + 1 : 0;
	}
}

static void wait_once(double seconds)
{
	pthread_t reader, flusher, forker;

	forked = false;
	reader_id = flusher_id = forker_id = 0;
	test_step = "the reader comes to wait";
	thread_start(&reader, waits_for_line, NULL);
	wait_until_asleep(&reader_id);
	test_step = "fflush comes to wait";
	thread_start(&flusher, flushes, NULL);
	wait_until_asleep(&flusher_id);
	test_step = "fork comes to wait";
	thread_start(&forker, forks, NULL);
	while (!forker_id)
		usleep(1000);
	expect_progress(seconds);
	CHECK(!forked, "the fork did not wait: nothing was tested");
	test_step = "the fork goes on";
	CHECK(write(pipe_ends[1], "line\n", 5) == 5, "write");
	pthread_join(reader, NULL);
	pthread_join(flusher, NULL);
	pthread_join(forker, NULL);
}

int main(void)
{
	double seconds = test_seconds(3) / NR_WAITS;
	pthread_t threads[NR_CHURNERS + 2];
	size_t after_first = 0, after_last;

	watchdog_start((unsigned int)(seconds * NR_WAITS) + 120);
	CHECK(!pipe(pipe_ends), "pipe");
	for (size_t i = 0; i < NR_CHURNERS; i++)
		thread_start(&threads[i], churns, (void *)i);
	thread_start(&threads[NR_CHURNERS], small_churns, NULL);
	thread_start(&threads[NR_CHURNERS + 1], starts_threads, NULL);
	for (unsigned int i = 0; i < NR_WAITS; i++) {
		wait_once(seconds);
		if (!after_first)
			after_first = resident_bytes();
	}
	after_last = resident_bytes();
	test_step = "the threads end";
	stop = true;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	CHECK(after_last < after_first + after_first / 2 + MIB(32),
	      "%zu KiB after the last wait, %zu after the first", after_last >> 10,
	      after_first >> 10);
	return 0;
}
