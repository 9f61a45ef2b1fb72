/*
 * footprint.c - what the allocator costs programs that hardly use it.
 *
 * An ordinary program, run under LD_PRELOAD. It starts itself anew in an environment with nothing
 * but the preload in it, waits until the child has done its work and sleeps, and reads the
 * child's books in /proc. Two figures: hello world (peak resident set, lines of its maps), and
 * a hundred threads that did a few mallocs and sleep (resident set beyond that of glibc).
 *
 *	footprint            judge the library: 1 if it is above budget, or not stitchmalloc
 *	footprint --report   print the figures of whatever malloc there is
 */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIBRARY "libstitchmalloc"
#define THREADS 100
#define HELLO_KIB_BUDGET 2048
#define HELLO_MAPS_BUDGET 36
#define THREADS_KIB_BUDGET 8192 /* above glibc */

struct figures {
	long peak_kib, resident_kib, nr_maps;
};

static _Noreturn void give_up(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- the children ---- */

/* Tell the parent by a line that it may look, and sleep until it has. */
static void say_and_sleep(const char *line)
{
	char byte;

	printf("%s\n", line);
	fflush(stdout);
	if (read(STDIN_FILENO, &byte, 1) < 0)
		give_up("read");
}

static pthread_barrier_t all_done;

static void *thread_run(void *argument)
{
	static const size_t sizes[] = { 16, 24, 40, 100, 250, 1000, 1000, 5000 };
	void *objects[sizeof(sizes) / sizeof(sizes[0])];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		objects[i] = malloc(sizes[i]);
		if (!objects[i])
			give_up("malloc");
		memset(objects[i], 1, sizes[i]);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i += 2)
		free(objects[i]); /* the others stay */
	pthread_barrier_wait(&all_done);
	pause();
	return argument;
}

static void threads_child(void)
{
	pthread_t thread;

	pthread_barrier_init(&all_done, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, thread_run, NULL))
			give_up("pthread_create");
	pthread_barrier_wait(&all_done);
	say_and_sleep("a hundred threads");
}

/* ---- the parent ---- */

static FILE *open_book(pid_t child, const char *book)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)child, book);
	file = fopen(path, "re");
	if (!file)
		give_up(path);
	return file;
}

static long read_kib(pid_t child, const char *book, const char *key)
{
	FILE *file = open_book(child, book);
	char line[512];
	long kib = -1;

	while (kib < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			kib = strtol(line + strlen(key), NULL, 10);
	fclose(file);
	if (kib < 0)
		give_up(key);
	return kib;
}

static long count_maps(pid_t child)
{
	FILE *file = open_book(child, "maps");
	long nr_lines = 0;
	int c;

	while ((c = getc(file)) != EOF)
		nr_lines += c == '\n';
	fclose(file);
	return nr_lines;
}

static _Noreturn void become_child(const char *role, char *preload, int in, int out)
{
	char name[] = "footprint";
	char argument[16];
	char *arguments[] = { name, argument, NULL };
	char *environment[] = { preload, NULL };

	snprintf(argument, sizeof(argument), "%s", role);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execve("/proc/self/exe", arguments, environment);
	_exit(127);
}

/* Run this program in `role`; preload: NULL, or the only variable of its environment. */
static struct figures observe(const char *role, char *preload)
{
	struct figures figures;
	int to_child[2], from_child[2], status;
	char line[64];
	pid_t child;

	if (pipe2(to_child, O_CLOEXEC) || pipe2(from_child, O_CLOEXEC))
		give_up("pipe2");
	child = fork();
	if (child < 0)
		give_up("fork");
	if (!child)
		become_child(role, preload, to_child[0], from_child[1]);
	close(from_child[1]);
	close(to_child[0]);
	if (read(from_child[0], line, sizeof(line)) <= 0)
		give_up("the child says nothing");
	figures.peak_kib = read_kib(child, "status", "VmHWM:");
	figures.resident_kib = read_kib(child, "smaps_rollup", "Rss:");
	figures.nr_maps = count_maps(child);
	close(to_child[1]); /* its sleep ends */
	close(from_child[0]);
	if (waitpid(child, &status, 0) != child || status)
		give_up("the child failed");
	return figures;
}

static bool use_report, failed;

static void judge(const char *name, long figure, long budget)
{
	bool above = figure > budget;

	printf("%-44s %8ld %8ld%s\n", name, figure, budget,
	       above && !use_report ? "  ABOVE BUDGET" : "");
	failed |= above;
}

static void judge_all(char *preload)
{
	struct figures hello = observe("hello", preload);
	struct figures threads = observe("threads", preload);
	struct figures glibc = observe("threads", NULL);

	judge("hello world, peak KiB", hello.peak_kib, HELLO_KIB_BUDGET);
	judge("hello world, lines of maps", hello.nr_maps, HELLO_MAPS_BUDGET);
	judge("100 threads, KiB above glibc", threads.resident_kib - glibc.resident_kib,
	      THREADS_KIB_BUDGET);
	if (use_report)
		printf("100 threads, KiB %36ld (glibc %ld), lines of maps %ld\n",
		       threads.resident_kib, glibc.resident_kib, threads.nr_maps);
}

int main(int argc, char **argv)
{
	const char *role = argc > 1 ? argv[1] : "";
	char preload[4096];
	Dl_info info;

	if (!strcmp(role, "hello")) {
		say_and_sleep("hello, world");
		return 0;
	}
	if (!strcmp(role, "threads")) {
		threads_child();
		return 0;
	}
	use_report = !strcmp(role, "--report");
	if (!dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) || !info.dli_fname)
		give_up("dladdr");
	if (!use_report && !strstr(info.dli_fname, LIBRARY)) {
		fprintf(stderr, "footprint: malloc comes from %s; run under LD_PRELOAD=" LIBRARY
			".so, or with --report\n", info.dli_fname);
		return 1;
	}
	printf("malloc of %s\n", info.dli_fname);
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", info.dli_fname);
	judge_all(strstr(info.dli_fname, "/libc.so") ? NULL : preload);
	return failed && !use_report;
}
