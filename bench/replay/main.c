/*
 * main.c - replay: plays a trace of `stitchmalloc record` on whatever malloc the process has, and
 * says what that took. All output comes after the replay, because stdio allocates.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay.h"

#define MAX_SERIES 32u
#define DEFAULT_SAMPLES 400u
#define MOST_SAMPLES 50000ul

static const char usage[] =
	"usage: replay [OPTION]... TRACE\n"
	"       replay --plot OUT.svg [--title TEXT] [NAME=]FILE.csv...\n"
	"\n"
	"Plays a trace of `stitchmalloc record` on the malloc that this process has, with the\n"
	"threads of the trace, as fast as it goes:  LD_PRELOAD=libjemalloc.so.2 replay a.trace\n"
	"Prints calls, time, page faults, peak memory; `figures:` is for bench/pair --figures.\n"
	"  --csv FILE       resident memory and live bytes along the trace\n"
	"  --svg FILE       the same as a drawing\n"
	"  --name NAME      the curve's name; by default the library that malloc comes from\n"
	"  --samples N      about so many points (400)\n"
	"  --touch HOW      none, pages (default: a byte in each page of a new block), bytes\n"
	"  --realtime       keep to the times of the recording, pauses included\n"
	"  --check          read and check the trace, print what is in it, play nothing\n"
	"  --plot OUT.svg   draw the curves of several CSV files of one trace, or\n"
	"                   of one day of server_day\n"
	"Memory is what is resident more than before the replay. Live bytes are as requested.\n";

struct options {
	const char *trace, *csv, *svg, *name, *plot, *title;
	uint32_t nr_samples;
	enum touch touch;
	bool realtime, check;
	struct series series[MAX_SERIES];
	uint32_t nr_series;
};

_Noreturn void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("replay: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	_exit(1);
}

static _Noreturn void wrong_usage(const char *what, const char *argument)
{
	fprintf(stderr, "replay: %s %s\n%s", what, argument, usage);
	exit(2);
}

static enum touch parse_touch(const char *text)
{
	if (!strcmp(text, "none"))
		return TOUCH_NONE;
	if (!strcmp(text, "pages"))
		return TOUCH_PAGES;
	if (!strcmp(text, "bytes"))
		return TOUCH_BYTES;
	wrong_usage("--touch is none, pages or bytes, not", text);
}

static uint32_t parse_samples(const char *text)
{
	char *end;
	unsigned long nr = strtoul(text, &end, 10);

	if (*end || end == text || !nr || nr > MOST_SAMPLES)
		wrong_usage("--samples is a number from 1 to 50000, not", text);
	return (uint32_t)nr;
}

static void parse_operand(struct options *options, char *text)
{
	struct series *series = &options->series[options->nr_series];
	char *name_end = strchr(text, '=');

	if (!options->plot && options->trace)
		wrong_usage("one trace at a time, not also", text);
	if (!options->plot) {
		options->trace = text;
		return;
	}
	if (options->nr_series++ == MAX_SERIES)
		wrong_usage("at most 32 curves, not also", text);
	if (name_end) {
		*name_end = '\0';
		series->name = text;
	}
	csv_read(name_end ? name_end + 1 : text, series);
}

/* An option with a value; true if `name` is one. */
static bool parse_value(struct options *options, const char *name, const char *value)
{
	if (!strcmp(name, "--csv"))
		options->csv = value;
	else if (!strcmp(name, "--svg"))
		options->svg = value;
	else if (!strcmp(name, "--name"))
		options->name = value;
	else if (!strcmp(name, "--title"))
		options->title = value;
	else if (!strcmp(name, "--plot"))
		options->plot = value;
	else if (!strcmp(name, "--samples"))
		options->nr_samples = parse_samples(value);
	else if (!strcmp(name, "--touch"))
		options->touch = parse_touch(value);
	else
		return false;
	return true;
}

static void parse(struct options *options, char **args)
{
	for (; *args; args++) {
		if (!strcmp(*args, "--help")) {
			fputs(usage, stdout);
			exit(0);
		} else if (!strcmp(*args, "--realtime")) {
			options->realtime = true;
		} else if (!strcmp(*args, "--check")) {
			options->check = true;
		} else if (**args == '-') {
			if (!args[1] || !parse_value(options, *args, args[1]))
				wrong_usage("unknown or incomplete option", *args);
			args++;
		} else {
			parse_operand(options, *args);
		}
	}
	if (!options->plot && !options->trace)
		wrong_usage("no trace", "");
	if (options->plot && !options->nr_series)
		wrong_usage("no curves for", options->plot);
}

static void print_trace(const struct trace *trace, const struct script *script)
{
	const uint64_t *nr = script->nr_calls;

	printf("trace: %s\ncommand: %s\npid: %u%s\nthreads: %u\nseconds: %.2f\n", trace->path,
	       trace->header->command, trace->header->pid,
	       trace->header->parent_pid ? " (forked)" : "", trace->nr_threads,
	       (double)script->ms / 1000);
	printf("malloc: %" PRIu64 "\ncalloc: %" PRIu64 "\naligned: %" PRIu64 "\nrealloc: %" PRIu64
	       "\nfree: %" PRIu64 "\nof another thread's: %" PRIu64 "\ninherited: %" PRIu64 "\n",
	       nr[TRACE_MALLOC], nr[TRACE_CALLOC], nr[TRACE_ALIGNED],
	       nr[TRACE_REALLOC] + nr[TRACE_REALLOC_FAR], nr[TRACE_FREE] + nr[TRACE_FREE_FAR],
	       nr[TRACE_REALLOC_FAR] + nr[TRACE_FREE_FAR], nr[TRACE_INHERITED]);
	printf("bytes: %" PRIu64 "\nof them inherited: %" PRIu64 "\npeak live bytes: %" PRIu64
	       "\nnever freed: %" PRIu64 "\n",
	       script->nr_bytes, script->nr_inherited_bytes, script->peak_live_bytes,
	       script->nr_unfreed);
}

static void print_figures(const struct figures *f, const char *library)
{
	printf("allocator: %s\nbaseline KiB: %" PRIu64 "\nuser s: %.3f\nsystem s: %.3f\n"
	       "wall s: %.3f\nfaults: %" PRIu64 "\npeak KiB: %" PRIu64 "%s\nend KiB: %" PRIu64
	       "\nend live KiB: %" PRIu64 "\nwaits: %" PRIu64 "\n", library,
	       f->baseline_bytes / 1024, f->user, f->system, f->wall, f->faults,
	       f->peak_bytes / 1024, f->peak_is_sampled ? " (highest sample)" : "",
	       f->end_bytes / 1024, f->end_live_bytes / 1024, f->nr_waits);
	printf("figures: cpu_s=%.6f wall_s=%.6f faults=%" PRIu64 " peak_kib=%" PRIu64 "\n",
	       f->user + f->system, f->wall, f->faults, f->peak_bytes / 1024);
}

static const char *malloc_library(void)
{
	Dl_info info;

	if (!dladdr((void *)(uintptr_t)malloc, &info) || !info.dli_fname)
		return "?";
	return info.dli_fname;
}

static int play_trace(struct options *options)
{
	static struct trace trace;
	static struct script script;
	static struct figures figures;
	const char *library = malloc_library();
	struct series series;

	trace_load(&trace, options->trace);
	merge(&trace, &script, options->nr_samples, options->realtime);
	if (options->check) {
		print_trace(&trace, &script);
		return 0;
	}
	run(&script, options->touch, &figures);
	series = (struct series){ options->name ? options->name : library, script.samples,
				  script.nr_samples, CURVE_TRACE };
	print_trace(&trace, &script);
	print_figures(&figures, library);
	if (options->csv)
		csv_write(options->csv, trace.path, &series);
	if (options->svg)
		svg_write(options->svg, options->title ? options->title : trace.path, &series, 1);
	return ferror(stdout) | fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
	static struct options options = { .nr_samples = DEFAULT_SAMPLES, .touch = TOUCH_PAGES };

	(void)argc;
	parse(&options, argv + 1);
	if (!options.plot)
		return play_trace(&options);
	svg_write(options.plot, options.title ? options.title : "resident memory",
		  options.series, options.nr_series);
	return 0;
}
