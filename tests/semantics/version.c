/* stitch_version() is what the header says. */
#include <stitch/stitch.h>

#include "semantics/check.h"

int main(void)
{
	const char *(*version)(void) = (const char *(*)(void))dlsym(RTLD_DEFAULT, "stitch_version");
	char expected[40];

	CHECK(version, "no stitch_version: this is not stitchmalloc");
	snprintf(expected, sizeof(expected), "%d.%d.%d", STITCH_VERSION_MAJOR,
		 STITCH_VERSION_MINOR, STITCH_VERSION_PATCH);
	CHECK(!strcmp(version(), expected), "the library says %s, its header %s", version(),
	      expected);
	return 0;
}
