/*
 * background_thread=1: what is freed goes back while the program makes no call at all, in a forked
 * child, too; without the option it stays. There is no thread before the heap is large, it takes
 * no signals, changes its user with the others, and holds up neither fork nor exit, nor the end of
 * a process whose last thread ends.
 *
 * Each stage is a process of its own, with the options that it is about. STRESS_SECONDS in the
 * environment makes the storms longer.
 */
#include "hostile/fork.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "semantics/again.h"

#define WITH "background_thread=1,decay_ms=100,retain=16M"
#define WITHOUT "decay_ms=100,retain=16M"
#define PEAK_BYTES MIB(256)
#define BLOCK_BYTES MIB(1)
/* What may stay: half of retain=, the program, the pages of the heap's books. */
#define GONE_BYTES MIB(24)
#define NR_POLLS 6000u /* of 10 ms: no measure of speed */

static void pause_ms(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&time, &time) < 0)
		CHECK(errno == EINTR, "nanosleep: %s", strerror(errno));
}

/* Without a call of malloc. */
static void read_text(const char *path, char *text, size_t bytes)
{
	int fd = open(path, O_RDONLY);
	ssize_t length = fd < 0 ? -1 : read(fd, text, bytes - 1);

	CHECK(length >= 0, "%s: %s", path, strerror(errno));
	text[length] = '\0';
	close(fd);
}

static size_t number_behind(const char *path, const char *word)
{
	char text[4096], *at;

	read_text(path, text, sizeof(text));
	at = strstr(text, word);
	CHECK(at, "%s has no %s", path, word);
	return strtoul(at + strlen(word), NULL, 10);
}

static size_t nr_threads(void)
{
	return number_behind("/proc/self/status", "Threads:");
}

static size_t resident(void)
{
	return number_behind("/proc/self/status", "VmRSS:") * 1024;
}

static void build_and_free(size_t bytes)
{
	static char *blocks[PEAK_BYTES / BLOCK_BYTES];

	for (size_t i = 0; i < bytes / BLOCK_BYTES; i++) {
		blocks[i] = malloc(BLOCK_BYTES);
		CHECK(blocks[i], "malloc");
		memset(blocks[i], 1, BLOCK_BYTES);
	}
	for (size_t i = 0; i < bytes / BLOCK_BYTES; i++)
		free(blocks[i]);
}

/* More than small, and in more calls than a child may make without a thread. */
static void grow(void)
{
	for (unsigned int i = 0; i < 4; i++)
		build_and_free(MIB(20));
}

/* The same memory again and again: it turns out to be needed, and stays. */
static void build_and_free_by_turns(void)
{
	for (unsigned int i = 0; i < 3; i++)
		build_and_free(PEAK_BYTES);
}

static void expect_falls(const char *where)
{
	for (unsigned int i = 0; i < NR_POLLS && resident() > GONE_BYTES; i++)
		pause_ms(10);
	CHECK(resident() <= GONE_BYTES, "%s: %zu KiB stay", where, resident() >> 10);
}

static void expect_child_well(pid_t child)
{
	int status;

	CHECK(waitpid(child, &status, 0) == child && !status, "%s: the child ends with %#x",
	      test_step, (unsigned int)status);
}

/* The id of the background thread. */
static pid_t thread_id(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	char path[300], text[64];
	pid_t found = 0;

	CHECK(tasks, "/proc/self/task");
	while ((entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		read_text(path, text, sizeof(text));
		if (!strcmp(text, "stitch-kswapd\n"))
			found = (pid_t)atoi(entry->d_name);
	}
	closedir(tasks);
	return found;
}

/* It takes its name, and blocks its signals, when it first runs. */
static pid_t expect_thread(void)
{
	for (unsigned int i = 0; i < NR_POLLS && !thread_id(); i++)
		pause_ms(10);
	CHECK(thread_id(), "there is no thread of that name");
	return thread_id();
}

/* ---- stages ---- */

static void goes_back(void)
{
	pid_t child;

	free(launder(malloc(100)));
	free(launder(malloc(MIB(3))));
	CHECK(nr_threads() == 1, "a thread for a small heap");
	build_and_free_by_turns();
	CHECK(nr_threads() == 2, "%zu threads", nr_threads());
	expect_falls("itself");
	test_step = "the child";
	child = fork();
	CHECK(child >= 0, "fork");
	if (!child) {
		alarm(CHILD_HANG_SECONDS * 2);
		CHECK(nr_threads() == 1, "the child begins with %zu threads", nr_threads());
		build_and_free_by_turns();
		CHECK(nr_threads() == 2, "the child has %zu threads", nr_threads());
		expect_falls("the child");
		_exit(0);
	}
	expect_child_well(child);
	expect_thread();
}

static void stays(void)
{
	size_t before;

	build_and_free_by_turns();
	CHECK(nr_threads() == 1, "%zu threads without the option", nr_threads());
	before = resident();
	CHECK(before > GONE_BYTES, "%zu KiB: nothing is left to go back", before >> 10);
	pause_ms(500);
	CHECK(resident() > before - before / 16, "%zu of %zu KiB went back without a call",
	      before - resident(), before);
}

static _Atomic unsigned int nr_taken;

static void take(int number)
{
	(void)number;
	CHECK(gettid() == getpid(), "a signal was taken by another thread");
	nr_taken++;
}

/* While this thread has it blocked, the kernel would give it to any other that has not. */
static void takes_itself(int number)
{
	unsigned int before = nr_taken;
	sigset_t blocked, pending;

	sigemptyset(&blocked);
	sigaddset(&blocked, number);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	CHECK(!kill(getpid(), number), "kill");
	pause_ms(3);
	sigpending(&pending);
	CHECK(nr_taken == before && sigismember(&pending, number), "signal %d is gone", number);
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	CHECK(nr_taken == before + 1, "signal %d was not taken", number);
}

static void takes_no_signals(void)
{
	static const int numbers[] = { SIGALRM, SIGTERM, SIGCHLD, SIGUSR1, SIGPROF, 40 };
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		signal(numbers[i], take);
	grow();
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", expect_thread());
	for (unsigned int i = 0; i < 60; i++) {
		takes_itself(numbers[i % ARRAY_SIZE(numbers)]);
		if (i % 10 == 0)
			grow();
	}
	CHECK(number_behind(path, "voluntary_ctxt_switches:"), "the thread has not run");
}

/* libc tells all threads that it knows. Those that it does not would stay root. */
static void changes_its_user(void)
{
	char path[64];

	if (getuid())
		return;
	grow();
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", expect_thread());
	CHECK(number_behind(path, "Uid:") == 0, "not root");
	CHECK(!setuid(65534), "setuid");
	CHECK(number_behind(path, "Uid:") == 65534, "the thread is root");
}

static void *end_later(void *unused)
{
	pause_ms(50);
	grow();
	return unused;
}

static _Noreturn void leave_by_pthread_exit(void)
{
	pthread_t thread;

	grow();
	CHECK(nr_threads() == 2, "%zu threads", nr_threads());
	thread_start(&thread, end_later, NULL);
	pthread_detach(thread);
	pthread_exit(NULL);
}

/* If it does not end, no signal but SIGKILL would end it: all are blocked in the thread left. */
static void ends_with_its_last_thread(void)
{
	pid_t child = fork(), ended = 0;
	int status = 0;

	CHECK(child >= 0, "fork");
	if (!child)
		leave_by_pthread_exit();
	for (unsigned int i = 0; i < NR_POLLS && !ended; i++) {
		pause_ms(10);
		ended = waitpid(child, &status, WNOHANG);
	}
	if (!ended)
		kill(child, SIGKILL);
	CHECK(ended == child && !status, "a process lives on without its threads");
}

static void forks_and_ends(void)
{
	double end = seconds_now() + test_seconds(0.7);

	do {
		pid_t child;

		test_step = "forking";
		grow();
		child = fork();
		CHECK(child >= 0, "fork");
		if (!child) {
			child_begins();
			if (nr_forks % 4)
				grow();
			CHECK(nr_threads() == 1 + (nr_forks % 4 > 0), "%zu threads", nr_threads());
			if (nr_forks % 4 == 1)
				execl("/bin/true", "true", (char *)NULL);
			if (nr_forks % 4 == 2)
				exit(0);
			_exit(0);
		}
		expect_success_of(child);
	} while (seconds_now() < end);
}

static void vforks(void)
{
	pid_t child = vfork();

	CHECK(child >= 0, "vfork");
	if (!child) {
		build_and_free(MIB(64));
		_exit(nr_threads() != 1);
	}
	expect_child_well(child);
	grow();
	CHECK(nr_threads() == 2, "%zu threads after a vfork", nr_threads());
	expect_falls("after a vfork");
}

/* Threads cannot be had: without, and not a word. */
static void goes_without(void)
{
	struct rlimit none = { 0, 0 };

	CHECK(!setrlimit(RLIMIT_NPROC, &none), "setrlimit");
	CHECK(getuid() || !setuid(65534), "setuid"); /* root has no such limit */
	errno = 12345;
	grow();
	CHECK(errno == 12345, "errno is %d", errno);
	CHECK(nr_threads() == 1, "%zu threads", nr_threads());
}

static const struct stage {
	const char *name, *options;
	void (*run)(void);
} stages[] = {
	{ "goes_back", WITH, goes_back },
	{ "stays", WITHOUT, stays },
	{ "takes_no_signals", WITH, takes_no_signals },
	{ "changes_its_user", WITH, changes_its_user },
	{ "ends_with_its_last_thread", WITH, ends_with_its_last_thread },
	{ "ends_with_its_last_thread hardened", WITH ",hardened=1", ends_with_its_last_thread },
	{ "forks_and_ends", WITH ",decay_ms=0", forks_and_ends },
	{ "vforks", WITH, vforks },
	{ "goes_without", WITH, goes_without },
};

int main(int argc, char **argv)
{
	static char text[8192];

	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(stages); i++) {
		if (strcmp(argv[1], stages[i].name))
			continue;
		watchdog_start((unsigned int)test_seconds(0) + 150);
		stages[i].run();
		return 0;
	}
	CHECK(on_stitchmalloc(), "this is not stitchmalloc's malloc");
	for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
		int status = run_again(stages[i].name, "STITCH_CONF", stages[i].options, text,
				       sizeof(text));

		CHECK(!status && !*text, "%s: status %#x: %s", stages[i].name, (unsigned int)status,
		      text);
	}
	return 0;
}
