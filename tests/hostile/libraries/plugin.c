/*
 * A plug-in for deepbind.c, which opens it with RTLD_DEEPBIND: its malloc and free are libc's own,
 * past any preload, while libc's functions that allocate use the program's.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostile/libraries/plugin.h"

static void *allocate(size_t bytes)
{
	return malloc(bytes);
}

static void release(void *block)
{
	free(block);
}

static void *resize(void *block, size_t bytes)
{
	return realloc(block, bytes);
}

static char *copy_text(const char *text)
{
	return strdup(text);
}

static char *print(int number)
{
	char *text;

	return asprintf(&text, "number %d", number) < 0 ? NULL : text;
}

/* Into a buffer of the plug-in's, which getline makes larger by the program's realloc. */
static char *read_line(FILE *file)
{
	size_t bytes = 16;
	char *line = malloc(bytes);

	return getline(&line, &bytes, file) < 0 ? NULL : line;
}

/* Into one that getline makes. */
static char *read_new_line(FILE *file)
{
	size_t bytes = 0;
	char *line = NULL;

	return getline(&line, &bytes, file) < 0 ? NULL : line;
}

const struct plugin plugin = {
	allocate, release, resize, copy_text, print, read_line, read_new_line,
};
