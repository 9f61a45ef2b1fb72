/*
 * stats=1: the report comes when the process exits, after its last handlers, also when it has
 * closed standard error before; never from _exit, never without the option, and never into a file
 * that has got the descriptor's number since.
 */
#include <fcntl.h>

#include "semantics/again.h"

static char text[65536];

static void last_words(void)
{
	if (write(2, "last words\n", 11) != 11)
		_exit(1);
}

/* Every number is soon a descriptor of its data. */
static void be_daemon(void)
{
	int file = open(getenv("DATA_FILE"), O_WRONLY | O_APPEND);

	CHECK(file >= 0, "the data file");
	for (int fd = 0; fd < 300; fd++)
		dup2(file, fd);
}

static void be(const char *what)
{
	if (!strcmp(what, "quick"))
		_exit(0);
	if (!strcmp(what, "daemon"))
		be_daemon();
	else if (!strcmp(what, "closed"))
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

static void keeps_out_of_data(void)
{
	char name[] = "/tmp/stats.XXXXXX";
	int file = mkstemp(name);

	CHECK(file >= 0, "mkstemp");
	setenv("DATA_FILE", name, 1);
	run_on("daemon", "stats=1");
	CHECK(!lseek(file, 0, SEEK_END), "the report was written into a file of the program");
	unlink(name);
	close(file);
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
	keeps_out_of_data();
	return 0;
}
