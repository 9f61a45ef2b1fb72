/*
 * fork handlers that use the heap: of a library that the program is linked with (its constructor
 * runs before main), of a second copy that is opened later, and closed again, and of the program;
 * in all of them, before the fork and after it on both sides. One thread registers handlers all
 * the while: libc keeps them in memory that it allocates with its list of handlers locked, for
 * which fork waits after our handlers have run.
 */
#include "hostile/fork.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "hostile/libraries/fork_handlers.h"

#define NR_THREADS 2u
#define NR_OBJECTS 48u
#define NR_REGISTERED_MAX 400u

static struct object all_objects[NR_THREADS][NR_OBJECTS];
static struct object program_object;
static _Atomic unsigned int nr_registered, nr_called;
static _Atomic bool stop;

static void *allocates(void *argument)
{
	struct object *objects = all_objects[(size_t)argument];
	struct rng rng = { .state = (uint64_t)argument };

	while (!stop) {
		objects_step(objects, NR_OBJECTS, &rng);
		untagged_burst(&rng);
	}
	objects_free(objects, NR_OBJECTS);
	return NULL;
}

static void count_call(void)
{
	nr_called++;
}

static void *registers_handlers(void *unused)
{
	while (!stop && nr_registered < NR_REGISTERED_MAX) {
		CHECK(!pthread_atfork(count_call, count_call, count_call), "pthread_atfork");
		nr_registered++;
		free(launder(malloc(KIB(300))));
		usleep(1000);
	}
	return unused;
}

static void program_prepare(void)
{
	test_step = "the program's handler before the fork";
	object_free(&program_object);
	object_new(&program_object, MIB(3));
}

static void program_done(void)
{
	test_step = "the program's handler after the fork";
	object_resize(&program_object, KIB(20));
	object_resize(&program_object, 200);
}

/* The linked library's file once more, under a name and number of its own. */
static void *open_copy(void)
{
	int from, copy = memfd_create("copy", 0);
	char path[64], text[4096];
	ssize_t got;
	Dl_info info;
	void *library;

	CHECK(dladdr((void *)(uintptr_t)handlers_counts, &info), "dladdr");
	from = open(info.dli_fname, O_RDONLY);
	CHECK(from >= 0 && copy >= 0, "%s", info.dli_fname);
	while ((got = read(from, text, sizeof(text))) > 0)
		CHECK(write(copy, text, (size_t)got) == got, "write");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", copy);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	CHECK(library, "%s", dlerror());
	close(from);
	close(copy);
	return library;
}

static const struct handler_counts *counts_of(void *library)
{
	const struct handler_counts *(*counts)(void);

	*(void **)&counts = dlsym(library, "handlers_counts");
	CHECK(counts && counts() != handlers_counts(), "the copy is no other library");
	return counts();
}

static _Noreturn void child_run(const struct handler_counts *copied)
{
	struct rng rng = { .state = nr_forks };

	CHECK(handlers_counts()->nr_in_child == 1, "the linked library's handler did not run");
	CHECK(!copied || copied->nr_in_child == 1, "the opened library's handler did not run");
	expect_whole_heap();
	for (unsigned int i = 0; i < NR_THREADS; i++)
		objects_inherited(all_objects[i], NR_OBJECTS, &rng);
	test_step = "the child allocates";
	untagged_burst(&rng);
	object_free(&program_object);
	_exit(0);
}

static void fork_once(const struct handler_counts *copied)
{
	pid_t child = fork_watched(fork);

	if (!child)
		child_run(copied);
	expect_success_of(child);
}

int main(void)
{
	double end = test_begin(4);
	pthread_t threads[NR_THREADS + 1];

	object_new(&program_object, 100);
	CHECK(!pthread_atfork(program_prepare, program_done, program_done), "pthread_atfork");
	for (size_t i = 0; i < NR_THREADS; i++)
		thread_start(&threads[i], allocates, (void *)i);
	thread_start(&threads[NR_THREADS], registers_handlers, NULL);
	do {
		void *library;

		for (unsigned int i = 0; i < 8; i++)
			fork_once(NULL);
		library = open_copy();
		for (unsigned int i = 0; i < 8; i++)
			fork_once(counts_of(library));
		CHECK(!dlclose(library), "dlclose");
	} while (seconds_now() < end);
	test_step = "the threads end";
	stop = true;
	for (size_t i = 0; i <= NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK(nr_called, "no registered handler was called");
	object_free(&program_object);
	return 0;
}
