/*
 * again.h - run the program again, as another kind of process, and read its standard error.
 */
#ifndef SEMANTICS_AGAIN_H
#define SEMANTICS_AGAIN_H

#include <sys/wait.h>

#include "semantics/check.h"

/*
 * Runs /proc/self/exe with one argument and one environment variable set (value NULL: unset).
 * Gathers at most bytes - 1 of its standard error in text; returns the status of waitpid.
 */
static inline int run_again(const char *argument, const char *variable, const char *value,
			    char *text, size_t bytes)
{
	int pipes[2], status;
	size_t length = 0;
	ssize_t got;
	pid_t child;

	CHECK(!pipe(pipes), "pipe");
	child = fork();
	CHECK(child >= 0, "fork");
	if (!child) {
		if (value)
			setenv(variable, value, 1);
		else
			unsetenv(variable);
		dup2(pipes[1], 2);
		close(pipes[0]);
		close(pipes[1]);
		execl("/proc/self/exe", "again", argument, (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	while ((got = read(pipes[0], text + length, bytes - 1 - length)) > 0)
		length += (size_t)got;
	close(pipes[0]);
	text[length] = '\0';
	CHECK(waitpid(child, &status, 0) == child, "waitpid");
	return status;
}

/* With these options, which are its argument, too: it must end well. */
static inline void run_with_options(const char *conf)
{
	char text[4096];
	int status = run_again(conf, "STITCH_CONF", conf, text, sizeof(text));

	CHECK(!status, "STITCH_CONF=%s: status %d: %s", conf, status, text);
}

#endif
