/*
 * stats=1: the report comes when the process exits, after its last handlers, also when it has
 * closed standard error before; never from _exit, and never without the option.
 */
#include <fcntl.h>

#include "semantics/again.h"

static char text[65536];

static void last_words(void)
{
	if (write(2, "last words\n", 11) != 11)
		_exit(1);
}

static void be(const char *what)
{
	if (!strcmp(what, "quick"))
		_exit(0);
	if (!strcmp(what, "closed"))
		close(2);
	else
		atexit(last_words);
	free(launder(malloc(5000000)));
	exit(0);
}

static void run_on(const char *what, const char *conf)
{
	int status = run_again(what, "STITCH_CONF", conf, text, sizeof(text));

	CHECK(!status, "%s: status %d: %s", what, status, text);
}

int main(int argc, char **argv)
{
	char version[100];
	const char *(*read_version)(void);

	if (argc > 1)
		be(argv[1]);
	read_version = (const char *(*)(void))dlsym(RTLD_DEFAULT, "stitch_version");
	CHECK(read_version, "this test is about stitchmalloc's options");
	snprintf(version, sizeof(version), "stitchmalloc %s, process ", read_version());

	run_on("normal", NULL);
	CHECK(!strcmp(text, "last words\n"), "without stats=1 it wrote: %s", text);
	run_on("normal", "stats=1");
	CHECK(!strncmp(text, "last words\n", 11), "the report is not the last: %s", text);
	CHECK(!strncmp(text + 11, version, strlen(version)), "the report begins: %s", text + 11);
	CHECK(strstr(text, "area_live") && text[strlen(text) - 1] == '\n', "the report: %s", text);
	run_on("closed", "stats=1");
	CHECK(!strncmp(text, version, strlen(version)), "after close(2) it wrote: %s", text);
	run_on("quick", "stats=1");
	CHECK(!*text, "_exit wrote: %s", text);
	return 0;
}
