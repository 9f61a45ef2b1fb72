/*
 * leak_json.c - the leak report as JSON, after tools/schema/leaks-1.schema.json.
 *
 * L7. One document on one line, so that reports behind each other in a file are JSON Lines.
 * Addresses are texts: readers keep numbers beyond 2^53 as they please. Texts may come with any
 * bytes (names of files, arguments); what is not UTF-8 becomes U+FFFD.
 */
#include <string.h>

#include "base/math.h"
#include "core/params.h"
#include "debug/heap_objects.h"
#include "debug/leak_track.h"
#include "debug/leak_writer.h"
#include "debug/suppress.h"

#define SCHEMA "stitchmalloc-leaks"
/* Goes up when a reader of the version before would misunderstand; new members do not count. */
#define SCHEMA_VERSION 1
#define PROFILE_SCHEMA "stitchmalloc-profile"
#define PROFILE_VERSION 1

static const char *const kind_names[NR_LEAK_KINDS] = {
	[LEAK_POSSIBLE] = "possible",	[LEAK_SUPPRESSED] = "suppressed",
	[LEAK_REACHABLE] = "reachable", [LEAK_INDIRECT] = "indirect",
	[LEAK_DEFINITE] = "definite",
};

/* --- values ----------------------------------------------------------------------------------- */

static bool is_between(unsigned char byte, unsigned char low, unsigned char high)
{
	return byte >= low && byte <= high;
}

/* Of a character of more bytes than one: which second byte there may be (Unicode, table 3-7). */
static bool is_second_byte(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0: /* else it would be overlong */
		return is_between(second, 0xa0, 0xbf);
	case 0xed: /* surrogates */
		return is_between(second, 0x80, 0x9f);
	case 0xf0:
		return is_between(second, 0x90, 0xbf);
	case 0xf4: /* beyond U+10FFFF */
		return is_between(second, 0x80, 0x8f);
	default:
		return is_between(second, 0x80, 0xbf);
	}
}

/* Bytes of the character at the beginning of the text; 0: it is none. */
static size_t utf8_length(const char *text, const char *end)
{
	unsigned char first = (unsigned char)*text;
	size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 :
			first < 0xf5 ? 4 : 0;

	if (length > (size_t)(end - text))
		return 0;
	if (length > 1 && !is_second_byte(first, (unsigned char)text[1]))
		return 0;
	for (size_t i = 2; i < length; i++)
		if (!is_between((unsigned char)text[i], 0x80, 0xbf))
			return 0;
	return length;
}

static bool is_plain(char c)
{
	return (unsigned char)c >= ' ' && c != '"' && c != '\\';
}

static void put_escaped(struct report *report, char c)
{
	if (c == '"' || c == '\\')
		report_printf(report, "\\%c", c);
	else if ((unsigned char)c < ' ')
		report_printf(report, "\\u%04x", (unsigned int)(unsigned char)c);
	else
		report_printf(report, "\\ufffd");
}

static void put_span(struct report *report, const char *text, const char *end)
{
	report_text(report, "\"", 1);
	while (text < end) {
		const char *plain = text;
		size_t length;

		while (plain < end && is_plain(*plain) && (length = utf8_length(plain, end)))
			plain += length;
		report_text(report, text, (size_t)(plain - text));
		if (plain < end)
			put_escaped(report, *plain++);
		text = plain;
	}
	report_text(report, "\"", 1);
}

static void put_text(struct report *report, const char *text)
{
	put_span(report, text, text + strlen(text));
}

static void put_amount(struct report *report, struct leak_amount amount)
{
	report_printf(report, "\"bytes\":%zu,\"blocks\":%zu", amount.bytes, amount.nr_blocks);
}

static void put_named_amount(struct report *report, const char *name, struct leak_amount amount)
{
	report_printf(report, "\"%s\":{", name);
	put_amount(report, amount);
	report_printf(report, "}");
}

static const char *comma(size_t index)
{
	return index ? "," : "";
}

/* --- the beginning ---------------------------------------------------------------------------- */

static void put_header(struct report *report, const char *schema, int version,
		       const struct leak_header *header)
{
	report_printf(report, "{\"schema\":\"%s\",\"version\":%d,\"stitchmalloc\":\"%s\","
			      "\"pid\":%d,\"exe\":", schema, version, STITCH_VERSION, header->pid);
	put_text(report, header->exe);
	report_printf(report, ",\"command\":");
	put_text(report, header->command);
	report_printf(report, ",\"mode\":\"%s\",\"symbolized\":%s,",
		      leak_tracking() ? "full" : leak_sampling() ? "sample" : "1",
		      params.symbolize ? "true" : "false");
	if (leak_sampling())
		report_printf(report, "\"sample_bytes\":%zu,", (size_t)params.leak_sample);
}

static void begin(struct report *report, const struct leak_header *header,
		  const struct leak_summary *summary)
{
	(void)summary;
	put_header(report, SCHEMA, SCHEMA_VERSION, header);
	report_printf(report, "\"sizes\":\"%s\",\"threads\":%u,\"threads_running\":%u,",
		      leak_tracking() ? "requested" : "usable", header->nr_threads,
		      header->nr_running);
	if (header->scan)
		report_printf(report, "\"scan\":%u,", header->scan);
	if (header->since)
		report_printf(report, "\"since\":{\"scan\":%u,\"seconds\":%u},", header->since,
			      header->seconds);
	report_printf(report, "\"groups\":[");
}

/* --- groups ----------------------------------------------------------------------------------- */

static void put_threads(struct report *report, const struct leak_group *group)
{
	report_printf(report, ",\"threads\":[");
	for (unsigned int i = 0; i < min_size(group->nr_threads, LEAK_MAX_THREADS); i++)
		report_printf(report, "%s%d", comma(i), group->threads[i]);
	report_printf(report, "],\"more_threads\":%s",
		      group->nr_threads > LEAK_MAX_THREADS ? "true" : "false");
}

static void put_cache(struct report *report, const struct leak_group *group)
{
	char name[LEAK_CACHE_NAME_BYTES];

	leak_cache_name(group, name);
	report_printf(report, ",\"cache\":");
	put_text(report, name);
}

static void put_object(struct report *report, const struct leak_group *group, unsigned int i)
{
	const unsigned char *bytes = (const unsigned char *)group->shown[i]; // NOLINT
	size_t nr = leak_shown_bytes(group->shown[i], group->usable);
	struct heap_object holder;

	report_printf(report, "%s{\"address\":\"0x%zx\"", comma(i), group->shown[i]);
	if (group->holders[i])
		report_printf(report, ",\"held_by\":\"0x%zx\"", group->holders[i]);
	if (group->holders[i] && heap_object_at(group->holders[i], &holder))
		report_printf(report, ",\"held_by_object\":\"0x%zx\"", holder.start);
	report_printf(report, ",\"first_bytes\":\"");
	for (size_t at = 0; at < nr; at++)
		report_printf(report, "%02x", bytes[at]);
	report_printf(report, "\"}");
}

static void put_objects(struct report *report, const struct leak_group *group)
{
	report_printf(report, ",\"objects\":[");
	for (unsigned int i = 0; i < group->nr_shown; i++)
		put_object(report, group, i);
	report_printf(report, "]");
}

static void begin_group(struct report *report, const struct leak_group *group, size_t index,
			const struct leak_summary *summary)
{
	(void)summary;
	report_printf(report, "%s{\"kind\":\"%s\",", comma(index), kind_names[group->kind]);
	put_amount(report, leak_group_amount(group));
	report_printf(report, ",");
	put_named_amount(report, "direct", group->direct);
	report_printf(report, ",");
	put_named_amount(report, "indirect", group->indirect);
	if (group->nr_samples)
		report_printf(report, ",\"estimate\":{\"samples\":%zu,\"error_bytes\":%zu}",
			      group->nr_samples, leak_estimate_error(&group->estimate));
	if (leak_has_stacks())
		put_threads(report, group);
	else
		put_cache(report, group);
	if (params.leak_objects)
		put_objects(report, group);
	report_printf(report, ",\"frames\":[");
}

static void put_module(struct report *report, const struct leak_frame *frame)
{
	char id[64];

	report_printf(report, ",\"module\":");
	put_text(report, frame->symbol->module);
	report_printf(report, ",\"offset\":\"0x%zx\"", frame->symbol->offset);
	if (symbolise_build_id(frame->pc, id, sizeof(id)))
		report_printf(report, ",\"build_id\":\"%s\"", id);
}

/* What is not known is left out. */
static void put_frame(struct report *report, const struct leak_frame *frame)
{
	const struct symbol *symbol = frame->symbol;

	report_printf(report, "%s{\"pc\":\"0x%zx\"", comma(frame->number), frame->pc);
	if (symbol->function) {
		report_printf(report, ",\"function\":");
		put_text(report, symbol->function);
		report_printf(report, ",\"inlined\":%s", symbol->inlined ? "true" : "false");
	}
	if (symbol->file) {
		report_printf(report, ",\"file\":");
		put_text(report, symbol->file);
		report_printf(report, ",\"line\":%u", symbol->line);
	}
	if (symbol->module)
		put_module(report, frame);
	report_printf(report, "}");
}

static void end_group(struct report *report, const struct leak_group *group)
{
	(void)group;
	report_printf(report, "]}");
}

/* --- the end ---------------------------------------------------------------------------------- */

struct rules {
	struct report *report;
	size_t nr;
};

static void put_rule(void *context, const struct suppress_use *use)
{
	struct rules *rules = context;

	report_printf(rules->report, "%s{\"rule\":", comma(rules->nr++));
	put_span(rules->report, use->line, use->line + use->line_bytes);
	report_printf(rules->report, ",\"from\":");
	put_text(rules->report, use->name);
	report_printf(rules->report, ",\"bytes\":%zu,\"blocks\":%zu}", use->nr_bytes,
		      use->nr_blocks);
}

static void put_totals(struct report *report, const struct leak_amount *total)
{
	static const enum leak_kind order[] = { LEAK_DEFINITE, LEAK_INDIRECT, LEAK_POSSIBLE,
						LEAK_REACHABLE, LEAK_SUPPRESSED };

	report_printf(report, ",\"totals\":{");
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		report_printf(report, "%s", comma(i));
		put_named_amount(report, kind_names[order[i]], total[order[i]]);
	}
	report_printf(report, "}");
}

static void end(struct report *report, const struct leak_summary *summary)
{
	struct rules rules = { report, 0 };

	report_printf(report, "],\"rest\":{\"groups\":%zu,",
		      summary->nr_groups - summary->nr_listed);
	put_amount(report, summary->rest.left);
	report_printf(report, "}");
	put_totals(report, summary->total);
	report_printf(report, ",\"suppressions\":[");
	suppress_visit_used(put_rule, &rules);
	report_printf(report, "],");
	put_named_amount(report, "leaked", leak_summary_lost(summary));
	report_printf(report, "}\n");
}

const struct leak_writer leak_json_writer = {
	.begin = begin,
	.begin_group = begin_group,
	.frame = put_frame,
	.end_group = end_group,
	.end = end,
};

/* --- a profile, after tools/schema/profile-1.schema.json -------------------------------------- */

static void put_sums(struct report *report, const struct leak_sums *sums)
{
	put_named_amount(report, "peak", sums->peak);
	report_printf(report, ",");
	put_named_amount(report, "live", sums->left);
	report_printf(report, ",");
	put_named_amount(report, "allocated", sums->allocated);
}

static void begin_profile(struct report *report, const struct leak_header *header,
			  const struct leak_summary *summary)
{
	(void)summary;
	put_header(report, PROFILE_SCHEMA, PROFILE_VERSION, header);
	report_printf(report, "\"groups\":[");
}

static void begin_site(struct report *report, const struct leak_group *group, size_t index,
		       const struct leak_summary *summary)
{
	struct leak_sums sums = { group->direct, group->peak, group->allocated, 0 };

	(void)summary;
	report_printf(report, "%s{", comma(index));
	put_sums(report, &sums);
	if (leak_sampling())
		report_printf(report, ",\"samples\":%zu", group->nr_samples);
	report_printf(report, ",\"frames\":[");
}

static void end_profile(struct report *report, const struct leak_summary *summary)
{
	report_printf(report, "],\"rest\":{\"groups\":%zu,",
		      summary->nr_groups - summary->nr_listed);
	put_sums(report, &summary->rest);
	report_printf(report, "},\"totals\":{");
	put_sums(report, &summary->all);
	report_printf(report, "}}\n");
}

const struct leak_writer profile_json_writer = {
	.begin = begin_profile,
	.begin_group = begin_site,
	.frame = put_frame,
	.end_group = end_group,
	.end = end_profile,
};
