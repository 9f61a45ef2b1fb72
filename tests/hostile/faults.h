/*
 * faults.h - commit one fault, and hear what the allocator says: for tests of wrong frees.
 *
 * faults_main runs the program again in each of the modes of `modes`. There, fault_judge commits a
 * fault: with on_error=abort in a child that must die of SIGABRT, else here, where life goes
 * on. It compares standard error with the one line that is due, address included, and
 * whether it came with the fault itself or only later, when free objects went home.
 */
#ifndef HOSTILE_FAULTS_H
#define HOSTILE_FAULTS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "semantics/again.h"

enum when { AT_ONCE, LATER, NEVER };

/* A fault and its surroundings; in memory that a child shares. */
struct scene {
	enum when when;
	void (*prepare)(struct scene *scene); /* set pointer and line */
	void (*commit)(struct scene *scene);
	void (*settle)(struct scene *scene); /* afterwards: all that is free goes home */
	const void *wrong, *call;
	void *pointer;
	char line[160];	/* what is due, without its end */
	bool committed; /* the fault's call has returned */
};

static struct {
	int saved_stderr, heard; /* the pipe that standard error is */
	bool aborts, silent, hardened;
	struct scene *scene;
} faults;

static void __attribute__((format(printf, 1, 2), noreturn)) fault_failed(const char *format, ...)
{
	va_list args;

	dup2(faults.saved_stderr, 2);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n(%s, %s)\n", getenv("STITCH_CONF"), program_invocation_name);
	_exit(1);
}

/* All that has been said since the last time; the pipe holds more than any fault says. */
static inline const char *said(void)
{
	static char text[4096];
	ssize_t got = read(faults.heard, text, sizeof(text) - 1);

	text[got > 0 ? got : 0] = '\0';
	return text;
}

static inline void expect_said(const struct scene *scene, const char *name, bool due)
{
	char line[200] = "";
	const char *text = said();

	if (due && !faults.silent)
		snprintf(line, sizeof(line), "%s\n", scene->line);
	if (strcmp(text, line))
		fault_failed("%s: expected \"%s\", got \"%s\"", name, line, text);
}

static void judge_death(struct scene *scene, const char *name)
{
	int status;
	pid_t child;

	scene->committed = false;
	child = fork();
	if (child < 0)
		fault_failed("%s: fork", name);
	if (!child) {
		alarm(60);
		scene->prepare(scene);
		scene->commit(scene);
		scene->committed = true;
		scene->settle(scene);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child)
		fault_failed("%s: waitpid", name);
	expect_said(scene, name, scene->when != NEVER);
	if (scene->when == NEVER ? status : !WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
		fault_failed("%s: ended with status %#x", name, (unsigned int)status);
	if (scene->when != NEVER && scene->committed != (scene->when == LATER))
		fault_failed("%s: found %s", name, scene->when == LATER ? "at once" : "late");
}

static inline void fault_judge(struct scene *scene, const char *name)
{
	if (faults.aborts) {
		judge_death(scene, name);
		return;
	}
	scene->prepare(scene);
	scene->commit(scene);
	expect_said(scene, name, scene->when == AT_ONCE);
	scene->settle(scene);
	expect_said(scene, name, scene->when == LATER);
}

static void listen_to_stderr(void)
{
	static const struct rlimit no_core;
	int pipes[2];

	setrlimit(RLIMIT_CORE, &no_core);
	faults.saved_stderr = dup(2);
	CHECK(!pipe2(pipes, O_NONBLOCK), "pipe2");
	faults.heard = pipes[0];
	dup2(pipes[1], 2);
	close(pipes[1]);
	faults.scene = mmap(NULL, sizeof(*faults.scene), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(faults.scene != MAP_FAILED, "mmap");
}

static inline int faults_main(int argc, char **argv, const char *const *modes, void (*judge)(void))
{
	static char text[8192];

	CHECK(on_stitchmalloc(), "this is not stitchmalloc's malloc");
	if (argc > 1) {
		faults.aborts = !strstr(argv[1], "on_error=");
		faults.silent = strstr(argv[1], "on_error=ignore");
		faults.hardened = strstr(argv[1], "hardened=1");
		listen_to_stderr();
		judge();
		return 0;
	}
	for (; *modes; modes++) {
		int status = run_again(*modes, "STITCH_CONF", *modes, text, sizeof(text));

		CHECK(!status && !*text, "%s: status %#x: %s", *modes, (unsigned int)status, text);
	}
	return 0;
}

#endif
