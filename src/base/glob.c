/* glob.c - see glob.h. */
#include "base/glob.h"

#include <string.h>

static bool match(const char *pattern, const char *end, const char *name)
{
	const char *star = NULL, *resume = name;

	while (*name) {
		if (pattern < end && *pattern == '*') {
			star = pattern++;
			resume = name;
		} else if (pattern < end && *pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star + 1;
			name = ++resume;
		} else {
			return false;
		}
	}
	while (pattern < end && *pattern == '*')
		pattern++;
	return pattern == end;
}

bool glob_match(const char *pattern, const char *name)
{
	return match(pattern, pattern + strlen(pattern), name);
}

bool glob_match_any(const char *patterns, const char *name)
{
	while (*patterns) {
		size_t length = strcspn(patterns, "+");

		if (length && match(patterns, patterns + length, name))
			return true;
		patterns += length + (patterns[length] != 0);
	}
	return false;
}
