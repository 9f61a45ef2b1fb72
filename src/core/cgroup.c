/*
 * cgroup.c - see cgroup.h.
 *
 * /proc/self/cgroup has a line number:controllers:path for each hierarchy. The one of version 2 has
 * no controllers; if another one names memory, that is where the limits are.
 *
 * In a container the path may be that of the host, of which nothing is mounted but the end: what
 * cannot be opened is passed over on the way up, and the mounted root is the last.
 */
#include <errno.h>
#include <string.h>

#include "base/format.h"
#include "base/math.h"
#include "core/cgroup.h"
#include "os/os.h"

/* Together less than a page of stack. A group deeper than a path is looked at from there up. */
#define LINES_MAX_BYTES 3072u
#define PATH_MAX_BYTES 768u
#define FILE_NAME_MAX_BYTES 24u
/* A number of 64 bits, or max. */
#define VALUE_MAX_BYTES 24u

struct hierarchy {
	char mount[24];
	char files[2][FILE_NAME_MAX_BYTES]; /* the second only where there is the first */
	char anonymous[12]; /* the line of memory.stat */
};

static const struct hierarchy version1 = { "/sys/fs/cgroup/memory",
					   { "/memory.limit_in_bytes", "" }, "total_rss " };
static const struct hierarchy version2 = { "/sys/fs/cgroup", { "/memory.max", "/memory.high" },
					   "anon " };

/* The list is separated by commas. */
static bool lists_memory(const char *list, size_t length)
{
	static const char word[] = "memory";

	while (length) {
		const char *comma = memchr(list, ',', length);
		size_t item = comma ? (size_t)(comma - list) : length;

		if (item == sizeof(word) - 1 && !memcmp(list, word, item))
			return true;
		item += comma != NULL;
		list += item;
		length -= item;
	}
	return false;
}

/* The hierarchy of a line and its path, if it is one that may have limits. */
static const struct hierarchy *parse_line(char *line, const char **path)
{
	char *controllers = strchr(line, ':');
	char *end = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!end || end[1] != '/')
		return NULL;
	*path = end + 1;
	if (++controllers == end)
		return &version2;
	return lists_memory(controllers, (size_t)(end - controllers)) ? &version1 : NULL;
}

/* Only whole lines count: the text may have been cut. */
static const struct hierarchy *parse_lines(char *text, const char **path)
{
	const struct hierarchy *found = NULL, *hierarchy;
	const char *path_here;
	char *end;

	for (; (end = strchr(text, '\n')); text = end + 1) {
		*end = '\0';
		hierarchy = parse_line(text, &path_here);
		if (!hierarchy)
			continue;
		found = hierarchy;
		*path = path_here;
		if (hierarchy == &version1)
			break;
	}
	return found;
}

/* "max", and whatever else is no number, is no limit. False: there is no such file. */
static bool read_limit(const char *path, uint64_t *limit)
{
	char text[VALUE_MAX_BYTES];
	long length = os_read_kernel_file(path, text, sizeof(text));

	*limit = SIZE_MAX;
	if (length < 0)
		return false;
	if (length && text[length - 1] == '\n')
		length--;
	if (!parse_bytes(text, (size_t)length, limit))
		*limit = SIZE_MAX;
	return true;
}

/* path[0..length) is a group's folder; what is behind is overwritten. */
static size_t limit_of(const struct hierarchy *hierarchy, char *path, size_t length)
{
	uint64_t lowest = SIZE_MAX, limit;

	for (size_t i = 0; i < ARRAY_SIZE(hierarchy->files) && hierarchy->files[i][0]; i++) {
		memcpy(path + length, hierarchy->files[i], FILE_NAME_MAX_BYTES);
		if (!read_limit(path, &limit))
			break;
		lowest = min_size(lowest, limit);
	}
	return lowest;
}

static size_t parent_length(const char *path, size_t length)
{
	while (length && path[length] != '/')
		length--;
	return length;
}

/* A group's folder, as a path with room for a file behind it. */
struct folder {
	const struct hierarchy *hierarchy;
	size_t length;
	char path[PATH_MAX_BYTES + FILE_NAME_MAX_BYTES];
};

/* The folder of the line's group, or of the first above it whose path is not too long. */
static void set_folder(struct folder *folder, const struct hierarchy *hierarchy, const char *group)
{
	size_t mount = strlen(hierarchy->mount), length = strlen(group);

	/* As seen from here the group may be outside the part of the tree that is mounted. */
	if (length == 1 || strstr(group, "/.."))
		length = 0;
	if (length > PATH_MAX_BYTES - mount)
		length = parent_length(group, PATH_MAX_BYTES - mount);
	folder->hierarchy = hierarchy;
	memcpy(folder->path, hierarchy->mount, mount);
	memcpy(folder->path + mount, group, length);
	folder->length = mount + length;
}

/* False: the process has no group. */
static bool own_folder(struct folder *folder)
{
	char text[LINES_MAX_BYTES];
	long length = os_read_kernel_file("/proc/self/cgroup", text, sizeof(text) - 1);
	const struct hierarchy *hierarchy;
	const char *group;

	if (length <= 0)
		return false;
	text[length] = '\0';
	hierarchy = parse_lines(text, &group);
	if (hierarchy)
		set_folder(folder, hierarchy, group);
	return hierarchy;
}

/* False: that was the mounted root. */
static bool go_up(struct folder *folder)
{
	size_t mount = strlen(folder->hierarchy->mount);

	if (folder->length == mount)
		return false;
	folder->length = max_size(parent_length(folder->path, folder->length - 1), mount);
	return true;
}

size_t cgroup_memory_limit(void)
{
	size_t lowest = SIZE_MAX;
	struct folder folder;

	if (!own_folder(&folder))
		return SIZE_MAX;
	do
		lowest = min_size(lowest, limit_of(folder.hierarchy, folder.path, folder.length));
	while (go_up(&folder));
	return lowest;
}

/* --- how much of it is used ------------------------------------------------------------------- */

#define STAT_MAX_BYTES 4096u

/* The number behind `name`, which begins a line. 0: there is no such line. */
static uint64_t number_of_line(const char *text, const char *name)
{
	size_t length = strlen(name);
	const char *end;
	uint64_t value;

	for (; (end = strchr(text, '\n')); text = end + 1) {
		if ((size_t)(end - text) <= length || memcmp(text, name, length))
			continue;
		return parse_bytes(text + length, (size_t)(end - text) - length, &value) ? value :
											   0;
	}
	return 0;
}

static uint64_t anonymous_bytes(struct folder *folder)
{
	char text[STAT_MAX_BYTES];
	long length;

	memcpy(folder->path + folder->length, "/memory.stat", sizeof("/memory.stat"));
	length = os_read_kernel_file(folder->path, text, sizeof(text) - 1);
	if (length < 0)
		return 0;
	text[length] = '\0';
	return number_of_line(text, folder->hierarchy->anonymous);
}

bool cgroup_is_nearly_full(void)
{
	struct folder folder;
	size_t limit;

	if (!own_folder(&folder))
		return false;
	do {
		limit = limit_of(folder.hierarchy, folder.path, folder.length);
		if (limit != SIZE_MAX && anonymous_bytes(&folder) > limit - limit / 8)
			return true;
	} while (go_up(&folder));
	return false;
}

long cgroup_read_pressure(char *text, size_t bytes)
{
	struct folder folder;

	if (!own_folder(&folder) || folder.hierarchy != &version2)
		return -ENOENT;
	memcpy(folder.path + folder.length, "/memory.pressure", sizeof("/memory.pressure"));
	return os_read_kernel_file(folder.path, text, bytes);
}
