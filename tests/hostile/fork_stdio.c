/*
 * fork while stdio is locked by threads that allocate: getline grows its line under a FILE's lock,
 * fflush(NULL) waits for that lock with the list of files locked, and fork, whose handlers have
 * run by then, waits for the list. Whoever lets getline wait for the fork hangs for ever. The name
 * service, whose lock fork takes, too, is called beside.
 */
#include "hostile/fork.h"

#include <netdb.h>
#include <pwd.h>
#include <sys/socket.h>

#define NR_READERS 2u
#define NR_ALLOCATORS 2u
#define LINE_MAX_BYTES KIB(300)

static _Atomic bool stop;
static int pipes[NR_READERS][2];

static void *reads_lines(void *argument)
{
	FILE *file = fdopen(*(int *)argument, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	CHECK(file, "fdopen");
	while ((length = getline(&line, &room, file)) > 0) {
		CHECK(line[length - 1] == '\n', "a line lost its end");
		CHECK(all_bytes_are(line, (unsigned char)line[0], (size_t)length - 1),
		      "a line changed");
		free(line);
		line = NULL;
		room = 0;
	}
	free(line);
	fclose(file);
	return NULL;
}

static void write_all(int file, const char *text, size_t bytes)
{
	while (bytes) {
		ssize_t written = write(file, text, bytes);

		CHECK(written > 0, "write: %s", strerror(errno));
		text += written;
		bytes -= (size_t)written;
	}
}

static void *writes_lines(void *argument)
{
	int file = *(int *)argument;
	struct rng rng = { .state = (uint64_t)file };

	while (!stop) {
		size_t bytes = 1 + rng_below(&rng, (size_t)64 << rng_below(&rng, 13));
		char *line;

		if (bytes > LINE_MAX_BYTES)
			bytes = LINE_MAX_BYTES;
		line = malloc(bytes + 1);
		CHECK(line, "malloc(%zu)", bytes + 1);
		memset(line, 'a' + (int)(bytes % 26), bytes);
		line[bytes] = '\n';
		write_all(file, line, bytes + 1);
		free(line);
	}
	close(file);
	return NULL;
}

static void *flushes(void *unused)
{
	while (!stop)
		CHECK(!fflush(NULL), "fflush");
	return unused;
}

static void *allocates(void *argument)
{
	static struct object all_objects[NR_ALLOCATORS][64];
	struct object *objects = all_objects[(size_t)argument];
	struct rng rng = { .state = (uint64_t)argument };

	while (!stop) {
		objects_step(objects, 64, &rng);
		untagged_burst(&rng);
	}
	objects_free(objects, 64);
	return NULL;
}

/* Not getpwnam: its own lock no fork resets, whatever the allocator. */
static void ask_for_root(void)
{
	struct passwd entry, *found;
	char text[1024];

	CHECK(!getpwnam_r("root", &entry, text, sizeof(text), &found) && found, "getpwnam_r");
}

static void *asks_names(void *unused)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;

	while (!stop) {
		ask_for_root();
		CHECK(!getaddrinfo("127.0.0.1", NULL, &hints, &found), "getaddrinfo");
		freeaddrinfo(found);
	}
	return unused;
}

static _Noreturn void child_run(void)
{
	static struct object objects[32];
	struct rng rng = { .state = nr_forks };
	FILE *file;

	expect_whole_heap();
	test_step = "the child allocates";
	objects_steps(objects, ARRAY_SIZE(objects), &rng, 64);
	test_step = "the child opens a file";
	file = fopen("/dev/null", "w");
	CHECK(file && fprintf(file, "%d\n", 1) == 2, "fopen");
	fclose(file);
	test_step = "the child asks the name service";
	ask_for_root();
	_exit(0);
}

int main(void)
{
	double end = test_begin(4);
	pthread_t readers[NR_READERS], writers[NR_READERS], others[NR_ALLOCATORS + 2];

	for (unsigned int i = 0; i < NR_READERS; i++) {
		CHECK(!pipe(pipes[i]), "pipe");
		thread_start(&readers[i], reads_lines, &pipes[i][0]);
		thread_start(&writers[i], writes_lines, &pipes[i][1]);
	}
	for (size_t i = 0; i < NR_ALLOCATORS; i++)
		thread_start(&others[i], allocates, (void *)i);
	thread_start(&others[NR_ALLOCATORS], flushes, NULL);
	thread_start(&others[NR_ALLOCATORS + 1], asks_names, NULL);
	do {
		pid_t child = fork_watched(fork);

		if (!child)
			child_run();
		expect_success_of(child);
	} while (seconds_now() < end);
	test_step = "the threads end";
	stop = true;
	for (unsigned int i = 0; i < NR_READERS; i++) {
		pthread_join(writers[i], NULL);
		pthread_join(readers[i], NULL);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++)
		pthread_join(others[i], NULL);
	return 0;
}
