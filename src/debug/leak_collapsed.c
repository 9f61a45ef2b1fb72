/*
 * leak_collapsed.c - "main;make_list;malloc 144": a line for each group, outermost function first.
 *
 * L7. What flamegraph.pl, inferno, speedscope and `stitchmalloc flamegraph` read; several reports
 * in a file add up. Frames come innermost first, so a line is gathered from its end.
 */
#include <string.h>

#include "base/math.h"
#include "base/format.h"
#include "debug/leak_track.h"
#include "debug/leak_writer.h"

/* 64 names of the longest kind do not fit; what is cut off then are the outermost. */
#define LINE_BYTES KIB(32)
#define CUT "..."
#define NAME_BYTES 1024u

static struct {
	char text[LINE_BYTES];
	size_t start; /* of what is there, up to the end */
	bool is_cut;
} line;

/* A frame in front; with what readers take for a separator replaced. */
static void prepend(const char *name)
{
	size_t length = strlen(name), separator = line.start < LINE_BYTES;

	if (line.is_cut)
		return;
	if (length + separator + sizeof(CUT ";") > line.start) {
		line.is_cut = true;
		name = CUT;
		length = strlen(CUT);
	}
	line.start -= length + separator;
	for (size_t i = 0; i < length; i++) {
		char c = name[i];

		line.text[line.start + i] = c == ';' ? ':' : (unsigned char)c <= ' ' ? '_' : c;
	}
	if (separator)
		line.text[line.start + length] = ';';
}

static void begin_group(struct report *report, const struct leak_group *group, size_t index,
			const struct leak_summary *summary)
{
	char name[LEAK_CACHE_NAME_BYTES];

	(void)report;
	(void)index;
	(void)summary;
	line.start = LINE_BYTES;
	line.is_cut = false;
	if (group->stack)
		return;
	leak_cache_name(group, name);
	prepend(leak_has_stacks() ? "(no stack)" : name);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void put_frame(struct report *report, const struct leak_frame *frame)
{
	const struct symbol *symbol = frame->symbol;
	char place[NAME_BYTES];

	(void)report;
	if (symbol->function) {
		prepend(symbol->function);
		return;
	}
	format_text(place, sizeof(place), "%s+0x%zx",
		    symbol->module ? base_name(symbol->module) : "?", symbol->offset);
	prepend(place);
}

static void end_group(struct report *report, const struct leak_group *group)
{
	report_text(report, line.text + line.start, LINE_BYTES - line.start);
	report_printf(report, " %zu\n", leak_group_value(group));
}

static void end(struct report *report, const struct leak_summary *summary)
{
	size_t nr = summary->nr_groups - summary->nr_listed;

	if (nr)
		report_printf(report, "(%zu_more_group%s) %zu\n", nr, nr == 1 ? "" : "s",
			      summary->rest.value);
}

const struct leak_writer leak_collapsed_writer = {
	.begin_group = begin_group,
	.frame = put_frame,
	.end_group = end_group,
	.end = end,
};
