/* flamegraph.c - see flamegraph.h. The command line. */
#define _GNU_SOURCE
#include "flamegraph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#if !HAVE_JANSSON

int flamegraph(char **args)
{
	(void)args;
	fputs("stitchmalloc: flamegraph: built without jansson; apt-get install libjansson-dev, "
	      "and build again\n", stderr);
	return 125;
}

#else

enum { EXIT_USAGE = 2, EXIT_SETUP = 125 };

static const char usage[] =
	"usage: stitchmalloc flamegraph REPORT [-o FILE]\n"
	"\n"
	"Writes a page for browsers that shows which calls led to how many bytes of a report.\n"
	"It needs no network and no other file.\n"
	"  REPORT   written with leak_format=json or collapsed; several in a file add up;\n"
	"           - is standard input\n"
	"  -o FILE  the page; by default REPORT.html, or standard output if REPORT is -\n"
	"\n"
	"    stitchmalloc run --leaks=full --format=json --log=/tmp/leaks -- PROGRAM\n"
	"    stitchmalloc flamegraph /tmp/leaks\n";

static int fail(int status, const char *what, const char *why)
{
	fprintf(stderr, "stitchmalloc: flamegraph: %s: %s\n", what, why);
	return status;
}

struct options {
	const char *report, *page;
	bool help;
};

/* False: wrong. */
static bool parse(char **args, struct options *options)
{
	for (; *args; args++) {
		if (!strcmp(*args, "--help"))
			options->help = true;
		else if (!strcmp(*args, "-o") && args[1])
			options->page = *++args;
		else if ((**args == '-' && (*args)[1]) || !**args || options->report)
			return false;
		else
			options->report = *args;
	}
	return options->help || options->report;
}

static bool is_standard(const char *path)
{
	return !strcmp(path, "-");
}

static int write_page(const char *path, struct flame_report *report)
{
	FILE *file = is_standard(path) ? stdout : fopen(path, "w");
	bool is_bad;

	if (!file)
		return fail(EXIT_SETUP, path, strerror(errno));
	flame_write_page(file, report);
	is_bad = fflush(file) || ferror(file);
	if (is_bad)
		fail(EXIT_SETUP, path, strerror(errno));
	else if (file != stdout)
		puts(path);
	if (file != stdout)
		fclose(file);
	return is_bad ? EXIT_SETUP : EXIT_SUCCESS;
}

static int convert(const char *path, const char *page)
{
	FILE *file = is_standard(path) ? stdin : fopen(path, "r");
	struct flame_report report = { 0 };
	int status = EXIT_SETUP;

	if (!file)
		return fail(EXIT_SETUP, path, strerror(errno));
	if (flame_read(file, path, &report))
		status = write_page(page, &report);
	flame_free(&report.root);
	free(report.title);
	fclose(file);
	return status;
}

int flamegraph(char **args)
{
	struct options options = { 0 };
	char *beside = NULL;
	int status;

	if (!parse(args, &options)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (options.help) {
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	}
	if (!options.page && is_standard(options.report))
		options.page = "-";
	if (!options.page && asprintf(&beside, "%s.html", options.report) < 0)
		return fail(EXIT_SETUP, options.report, "out of memory");
	status = convert(options.report, beside ? beside : options.page);
	free(beside);
	return status;
}

#endif
