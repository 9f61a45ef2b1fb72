/* task.h - what /proc says of a process and its threads. */
#ifndef TOOLS_TASK_H
#define TOOLS_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* From a command line; 0: it is no process's number. */
pid_t task_pid(const char *text);

/* What stands behind a name of its status, in `line`; NULL: nothing, or there is no such thread. */
char *task_status(pid_t tid, const char *name, char *line, size_t bytes);
/* The same, as a number; 0: nothing. */
long task_number(pid_t tid, const char *name);

/* The first thread is still listed when it has ended before the others. */
bool task_has_ended(pid_t tid);

/* A thread of the process that lives: a dead one has neither memory nor mappings. 0: none does. */
pid_t task_living(pid_t pid);

#endif
