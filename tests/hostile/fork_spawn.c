/*
 * posix_spawn, vfork with exec, system and popen from several threads at once, while others
 * allocate. A child of vfork shares our memory: it may even allocate (outside POSIX, done all the
 * same), and nothing in it may take the heap for its own.
 */
#include "hostile/fork.h"

#include <spawn.h>

#define NR_ALLOCATORS 2u
#define NR_OBJECTS 64u

static _Atomic bool stop;
static double end;
static _Atomic unsigned long nr_done[4];

static void expect_status(pid_t child, int expected)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		CHECK(errno == EINTR, "waitpid: %s", strerror(errno));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == expected, "status %#x, not exit %d",
	      (unsigned int)status, expected);
}

static void spawns(void)
{
	char name[] = "true", *arguments[] = { name, NULL };
	pid_t child;

	CHECK(!posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ), "posix_spawn");
	expect_status(child, 0);
}

static void vforks(void)
{
	pid_t child = vfork();

	CHECK(child >= 0, "vfork");
	if (!child) {
		for (size_t bytes = 1; bytes < MIB(8); bytes *= 4)
			free(launder(malloc(bytes)));
		execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
		_exit(127);
	}
	expect_status(child, 7);
}

static void runs_system(void)
{
	int status = system("exit 5");

	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5, "system: %#x", (unsigned int)status);
}

static void opens_pipe(void)
{
	FILE *file = popen("echo stitch", "r");
	char text[32] = "";
	int status;

	CHECK(file && fgets(text, sizeof(text), file), "popen");
	CHECK(!strcmp(text, "stitch\n"), "popen read %s", text);
	status = pclose(file);
	CHECK(!status, "pclose: %#x", (unsigned int)status);
}

static void *starts_programs(void *argument)
{
	static void (*const ways[])(void) = { spawns, vforks, runs_system, opens_pipe };
	size_t way = (size_t)argument;
	struct object objects[16] = { 0 };
	struct rng rng = { .state = way };

	do {
		ways[way]();
		nr_done[way]++;
		objects_steps(objects, ARRAY_SIZE(objects), &rng, 20);
	} while (seconds_now() < end);
	objects_free(objects, ARRAY_SIZE(objects));
	return NULL;
}

static void *allocates(void *argument)
{
	static struct object all_objects[NR_ALLOCATORS][NR_OBJECTS];
	struct object *objects = all_objects[(size_t)argument];
	struct rng rng = { .state = (uint64_t)argument };

	while (!stop) {
		objects_step(objects, NR_OBJECTS, &rng);
		untagged_burst(&rng);
	}
	objects_free(objects, NR_OBJECTS);
	return NULL;
}

int main(void)
{
	pthread_t starters[ARRAY_SIZE(nr_done)], allocators[NR_ALLOCATORS];

	end = test_begin(4);
	test_step = "starting programs";
	for (size_t i = 0; i < NR_ALLOCATORS; i++)
		thread_start(&allocators[i], allocates, (void *)i);
	for (size_t i = 0; i < ARRAY_SIZE(starters); i++)
		thread_start(&starters[i], starts_programs, (void *)i);
	for (size_t i = 0; i < ARRAY_SIZE(starters); i++)
		pthread_join(starters[i], NULL);
	test_step = "the threads end";
	stop = true;
	for (size_t i = 0; i < NR_ALLOCATORS; i++)
		pthread_join(allocators[i], NULL);
	return 0;
}
