/* task.c - see task.h. */
#define _GNU_SOURCE
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task.h"

pid_t task_pid(const char *text)
{
	char *end;
	long pid = strtol(text, &end, 10);

	return end == text || *end || pid <= 0 || pid > INT_MAX ? 0 : (pid_t)pid;
}

char *task_status(pid_t tid, const char *name, char *line, size_t bytes)
{
	char path[64], *found = NULL;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	status = fopen(path, "re");
	while (status && !found && fgets(line, (int)bytes, status))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			found = line + strlen(name) + 1 + strspn(line + strlen(name) + 1, " \t");
	if (status)
		fclose(status);
	return found;
}

long task_number(pid_t tid, const char *name)
{
	char line[128], *number = task_status(tid, name, line, sizeof(line));

	return number ? atol(number) : 0;
}

bool task_has_ended(pid_t tid)
{
	char line[128], *state = task_status(tid, "State", line, sizeof(line));

	return !state || *state == 'Z' || *state == 'X';
}

pid_t task_living(pid_t pid)
{
	struct dirent *entry;
	char path[64];
	pid_t found = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	folder = opendir(path);
	while (folder && !found && (entry = readdir(folder)))
		if (atoi(entry->d_name) && !task_has_ended(atoi(entry->d_name)))
			found = atoi(entry->d_name);
	if (folder)
		closedir(folder);
	return found;
}
