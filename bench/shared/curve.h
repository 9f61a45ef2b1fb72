/*
 * curve.h - curves of resident memory beside live bytes: CSV files, and SVG drawings of one or
 * more of them. Shared by the programs here; each brings die() and map_table().
 */
#ifndef BENCH_SHARED_CURVE_H
#define BENCH_SHARED_CURVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the x axis is. */
enum curve_kind {
	CURVE_TRACE, /* calls of a trace */
	CURVE_DAY,   /* parts of the day of bench/memory/server_day */
	CURVE_WORK,  /* parts of what bench/memory/stitch does */
};

#define CURVE_PARTS 1000000u

struct sample {
	uint64_t call;		/* where in the trace; else: which millionth */
	uint64_t trace_ms, replay_ns; /* of a trace only */
	uint64_t live_bytes, rss_bytes;
};

/* A curve, as a CSV file has it. */
struct series {
	const char *name;
	const struct sample *samples;
	uint32_t nr;
	enum curve_kind kind;
};

/* For messages that end the program. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Zeroed memory that is not malloc's. */
void *map_table(size_t bytes);

void csv_write(const char *path, const char *title, const struct series *series);
/* series->name, unless it is set, is what the file says. */
void csv_read(const char *path, struct series *series);
void svg_write(const char *path, const char *title, const struct series *series, uint32_t nr);

#endif
