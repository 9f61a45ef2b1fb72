/*
 * background_thread=1 in a program whose thread-local variables, which libc lays on the stack of
 * each thread, are more than the small stack of the background thread: it gets a larger one.
 */
#include "semantics/again.h"

#include <pthread.h>

static _Thread_local char variables[100000];

static size_t nr_threads(void)
{
	char text[4096], *found = NULL;
	FILE *file = fopen("/proc/self/status", "r");

	while (file && !found && fgets(text, sizeof(text), file))
		found = strstr(text, "Threads:");
	CHECK(found, "/proc/self/status");
	fclose(file);
	return strtoul(found + strlen("Threads:"), NULL, 10);
}

int main(int argc, char **argv)
{
	static char text[1024];
	int status;

	CHECK(on_stitchmalloc(), "this is not stitchmalloc's malloc");
	if (argc > 1) {
		memset(launder(variables), argv[1][0], sizeof(variables));
		for (unsigned int i = 0; i < 20; i++)
			free(launder(malloc((size_t)1 << 20)));
		CHECK(nr_threads() == 2, "%zu threads", nr_threads());
		return 0;
	}
	status = run_again("x", "STITCH_CONF", "background_thread=1,retain=1M", text, sizeof(text));
	CHECK(!status && !*text, "status %#x: %s", (unsigned int)status, text);
	return 0;
}
