/*
 * curve.c - see curve.h. A drawing has the live bytes behind the curves, and stands for itself: no
 * scripts, no fonts, no other files.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "curve.h"

static const char *const columns[] = {
	[CURVE_TRACE] = "call,trace_ms,replay_ns,live_bytes,rss_bytes",
	[CURVE_DAY] = "day,live_bytes,rss_bytes",
	[CURVE_WORK] = "work,live_bytes,rss_bytes",
};
#define MAX_SAMPLES 100000u
#define MIB (1024.0 * 1024.0)

enum { WIDTH = 900, HEIGHT = 480, LEFT = 70, RIGHT = 20, TOP = 40, BOTTOM = 50 };

/* Tell the colours apart in grey and with weak eyes (Okabe and Ito). */
static const char *const colours[] = {
	"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
};
#define NR_COLOURS (sizeof(colours) / sizeof(colours[0]))

static FILE *open_output(const char *path)
{
	FILE *out = fopen(path, "w");

	if (!out)
		die("%s: %s", path, strerror(errno));
	return out;
}

static void close_output(FILE *out, const char *path)
{
	if (ferror(out) | fclose(out))
		die("%s: cannot be written", path);
}

static void put_sample(FILE *out, const struct sample *sample, enum curve_kind kind)
{
	if (kind != CURVE_TRACE)
		fprintf(out, "%.6f,", (double)sample->call / CURVE_PARTS);
	else
		fprintf(out, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",", sample->call,
			sample->trace_ms, sample->replay_ns);
	fprintf(out, "%" PRIu64 ",%" PRIu64 "\n", sample->live_bytes, sample->rss_bytes);
}

static bool get_sample(const char *line, struct sample *sample, enum curve_kind kind)
{
	double part;

	if (kind == CURVE_TRACE)
		return sscanf(line, "%" SCNu64 ",%" SCNu64 ",%" SCNu64 ",%" SCNu64 ",%" SCNu64,
			      &sample->call, &sample->trace_ms, &sample->replay_ns,
			      &sample->live_bytes, &sample->rss_bytes) == 5;
	if (sscanf(line, "%lf,%" SCNu64 ",%" SCNu64, &part, &sample->live_bytes,
		   &sample->rss_bytes) != 3 || !(part >= 0 && part <= 1))
		return false;
	sample->call = (uint64_t)(part * CURVE_PARTS + 0.5);
	return true;
}

void csv_write(const char *path, const char *title, const struct series *series)
{
	FILE *out = open_output(path);

	fprintf(out, "# %s\n# %s\n%s\n", title, series->name, columns[series->kind]);
	for (uint32_t i = 0; i < series->nr; i++)
		put_sample(out, &series->samples[i], series->kind);
	close_output(out, path);
}

/* True for a line that is not a sample. */
static bool read_heading(const char *line, struct series *series, unsigned int *nr_comments)
{
	if (*line == '#') {
		if (++*nr_comments == 2 && !series->name)
			series->name = strdup(line + 2);
		return true;
	}
	for (unsigned int kind = 0; kind < sizeof(columns) / sizeof(columns[0]); kind++)
		if (!strcmp(line, columns[kind])) {
			series->kind = (enum curve_kind)kind;
			return true;
		}
	return false;
}

void csv_read(const char *path, struct series *series)
{
	struct sample *samples = map_table(MAX_SAMPLES * sizeof(*samples)), *at = samples;
	char line[1024];
	FILE *in = fopen(path, "r");
	unsigned int nr_comments = 0;

	if (!in)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		if (read_heading(line, series, &nr_comments))
			continue;
		if (at == samples + MAX_SAMPLES || !get_sample(line, at, series->kind))
			die("%s: not a CSV file of replay, server_day or stitch: %s", path, line);
		at++;
	}
	fclose(in);
	if (at == samples)
		die("%s: no samples in it", path);
	series->samples = samples;
	series->nr = (uint32_t)(at - samples);
	if (!series->name)
		series->name = path;
}

static void put_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else if ((unsigned char)*text >= ' ')
			fputc(*text, out);
	}
}

/* 1, 2 or 5 times a power of ten: some five of them up to `most`. */
static double tick_step(double most)
{
	double step = 1e-6;

	while (most / step > 6) {
		if (most / (step * 2) <= 6)
			return step * 2;
		if (most / (step * 5) <= 6)
			return step * 5;
		step *= 10;
	}
	return step;
}

struct plane {
	double most_x, most_y; /* calls or parts, MiB */
	double unit;	       /* of x, in what is written to it */
	const char *label;
};

static double x_of(const struct plane *plane, double calls)
{
	return LEFT + calls / plane->most_x * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct plane *plane, double mib)
{
	return HEIGHT - BOTTOM - mib / plane->most_y * (HEIGHT - TOP - BOTTOM);
}

static void put_axes(FILE *out, const struct plane *plane)
{
	for (double y = 0; y <= plane->most_y; y += tick_step(plane->most_y))
		fprintf(out, "<path d='M%d %.1fH%d' stroke='#ddd'/><text x='%d' y='%.1f' "
			"text-anchor='end'>%g</text>\n", LEFT, y_of(plane, y), WIDTH - RIGHT,
			LEFT - 8, y_of(plane, y) + 4, y);
	for (double x = 0; x <= plane->most_x; x += tick_step(plane->most_x))
		fprintf(out, "<path d='M%.1f %dv5' stroke='#888'/><text x='%.1f' y='%d' "
			"text-anchor='middle'>%g</text>\n", x_of(plane, x), HEIGHT - BOTTOM,
			x_of(plane, x), HEIGHT - BOTTOM + 19, x / plane->unit);
	fprintf(out, "<text x='%d' y='%d' text-anchor='middle'>%s</text>\n"
		"<text transform='translate(18 %d) rotate(-90)' text-anchor='middle'>MiB</text>\n",
		(WIDTH + LEFT) / 2, HEIGHT - 10, plane->label, HEIGHT / 2);
}

/* The live bytes are the same for all; the first series' are filled. */
static void put_live(FILE *out, const struct plane *plane, const struct series *series)
{
	fprintf(out, "<path fill='#e4e4e4' stroke='#999' d='M%.1f %.1f", x_of(plane, 0),
		y_of(plane, 0));
	for (uint32_t i = 0; i < series->nr; i++)
		fprintf(out, "L%.1f %.1f", x_of(plane, (double)series->samples[i].call),
			y_of(plane, (double)series->samples[i].live_bytes / MIB));
	fprintf(out, "V%.1fZ'/>\n", y_of(plane, 0));
}

static void put_curve(FILE *out, const struct plane *plane, const struct series *series,
		      uint32_t number)
{
	const struct sample *last = &series->samples[series->nr - 1];
	const char *colour = colours[number % NR_COLOURS];
	int y = TOP + 16 + 16 * (int)number;
	uint64_t peak = 0;

	fprintf(out, "<path fill='none' stroke='%s' stroke-width='1.6' d='", colour);
	for (uint32_t i = 0; i < series->nr; i++) {
		const struct sample *sample = &series->samples[i];

		fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', x_of(plane, (double)sample->call),
			y_of(plane, (double)sample->rss_bytes / MIB));
		if (sample->rss_bytes > peak)
			peak = sample->rss_bytes;
	}
	fprintf(out, "'/>\n<path d='M%d %dh18' stroke='%s' stroke-width='3'/><text x='%d' y='%d'>",
		LEFT + 12, y - 4, colour, LEFT + 36, y);
	put_text(out, series->name);
	fprintf(out, ": at most %.1f MiB, at the end %.1f</text>\n", (double)peak / MIB,
		(double)last->rss_bytes / MIB);
}

static void set_label(struct plane *plane, enum curve_kind kind)
{
	plane->unit = 1e3;
	plane->label = "thousands of calls in the trace";
	if (kind != CURVE_TRACE) {
		plane->unit = CURVE_PARTS / 100.0;
		plane->label = kind == CURVE_DAY ? "percent of the day" : "percent of the work";
	} else if (plane->most_x >= 1e6) {
		plane->unit = 1e6;
		plane->label = "millions of calls in the trace";
	}
}

static struct plane plane_of(const struct series *series, uint32_t nr)
{
	struct plane plane = { 1, 0.01, 1, "" };

	for (uint32_t k = 0; k < nr; k++) {
		for (uint32_t i = 0; i < series[k].nr; i++) {
			const struct sample *sample = &series[k].samples[i];
			double mib = (double)(sample->rss_bytes > sample->live_bytes ?
					      sample->rss_bytes : sample->live_bytes) / MIB;

			if ((double)sample->call > plane.most_x)
				plane.most_x = (double)sample->call;
			if (mib > plane.most_y)
				plane.most_y = mib;
		}
	}
	plane.most_y *= 1.05;
	set_label(&plane, series[0].kind);
	return plane;
}

void svg_write(const char *path, const char *title, const struct series *series, uint32_t nr)
{
	struct plane plane = plane_of(series, nr);
	FILE *out = open_output(path);

	fprintf(out, "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' "
		"height='%d' font-family='sans-serif' font-size='12'>\n"
		"<rect width='100%%' height='100%%' fill='#fff'/>\n<text x='%d' y='22' "
		"font-size='14'>", WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT);
	put_text(out, title);
	fputs("</text>\n", out);
	put_live(out, &plane, &series[0]);
	put_axes(out, &plane);
	for (uint32_t i = 0; i < nr; i++)
		put_curve(out, &plane, &series[i], i);
	fprintf(out, "<path d='M%d %dh18v-8h-18z' fill='#e4e4e4' stroke='#999'/>"
		"<text x='%d' y='%d'>live bytes, as requested</text>\n</svg>\n", LEFT + 12,
		TOP + 16 + 16 * (int)nr, LEFT + 36, TOP + 16 + 16 * (int)nr);
	close_output(out, path);
}
