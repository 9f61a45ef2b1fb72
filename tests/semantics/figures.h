/*
 * figures.h - what the system and the allocator say about the process.
 */
#ifndef SEMANTICS_FIGURES_H
#define SEMANTICS_FIGURES_H

#include <fcntl.h>

#include "semantics/check.h"

static inline size_t resident_bytes(void)
{
	char text[128] = "";
	int fd = open("/proc/self/statm", O_RDONLY);
	unsigned long total, resident;

	CHECK(read(fd, text, sizeof(text) - 1) > 0, "/proc/self/statm");
	close(fd);
	CHECK(sscanf(text, "%lu %lu", &total, &resident) == 2, "/proc/self/statm: %s", text);
	return resident * 4096;
}

/* A figure of stitchmalloc's malloc_info by its name; 0 under another allocator. */
static inline size_t figure(const char *name)
{
	char text[16384], pattern[64];
	FILE *file = tmpfile();
	const char *found;
	size_t value = 0;

	CHECK(file && !malloc_info(0, file), "malloc_info");
	rewind(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	snprintf(pattern, sizeof(pattern), "\"%s\" value=\"", name);
	found = strstr(text, pattern);
	CHECK(found || !on_stitchmalloc(), "malloc_info has no %s", name);
	if (found)
		sscanf(found + strlen(pattern), "%zu", &value);
	return value;
}

#endif
