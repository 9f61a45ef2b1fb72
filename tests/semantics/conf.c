/*
 * STITCH_CONF: help=1 lists every option, an unknown key is one line that names the nearest,
 * a bad value one that names the range, and without any of it nothing is written.
 */
#include "semantics/again.h"

static char text[65536];

static void run_on(const char *conf)
{
	int status = run_again("work", "STITCH_CONF", conf, text, sizeof(text));

	CHECK(!status, "STITCH_CONF=%s: status %d: %s", conf, status, text);
}

static unsigned int nr_lines(void)
{
	unsigned int nr = 0;

	for (const char *at = text; (at = strchr(at, '\n')); at++)
		nr++;
	return nr;
}

static void says(const char *conf, const char *part)
{
	run_on(conf);
	CHECK(strstr(text, part), "STITCH_CONF=%s does not say \"%s\" but: %s", conf, part, text);
}

static void one_line_with(const char *conf, const char *part)
{
	says(conf, part);
	CHECK(nr_lines() == 1 && !strncmp(text, "stitchmalloc: ", 14),
	      "STITCH_CONF=%s wants one line, not: %s", conf, text);
}

static void silent_with(const char *conf)
{
	run_on(conf);
	CHECK(!*text, "STITCH_CONF=%s wrote: %s", conf, text);
}

int main(int argc, char **argv)
{
	static const char *const options[] = { "help", "stats", "on_error", "foreign", "hardened",
					       "reserve" };

	(void)argv;
	if (argc > 1) {
		free(memset(malloc(1000), 1, 1000));
		return 0;
	}
	CHECK(on_stitchmalloc(), "this test is about stitchmalloc's options");
	silent_with(NULL);
	silent_with("");
	silent_with("on_error=warn,foreign=forward");
	one_line_with("hardend=1", "hardened");
	one_line_with("foreing=warn", "foreign");
	one_line_with("hardened=perhaps", "hardened");
	one_line_with("on_error=explode", "abort|warn|ignore");
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		says("help=1", options[i]);
	CHECK(nr_lines() >= 6, "help=1 wrote: %s", text);
	return 0;
}
