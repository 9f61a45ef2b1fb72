/* read.c - see flamegraph.h. JSON by jansson. */
#define _GNU_SOURCE
#include "flamegraph.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define SCHEMA "stitchmalloc-leaks"
#define PROFILE_SCHEMA "stitchmalloc-profile"
#define SCHEMA_VERSION 1 /* of both */
#define MAX_FRAMES 4096u

static bool complain(const char *path, const char *what)
{
	fprintf(stderr, "stitchmalloc: flamegraph: %s: %s\n", path, what);
	return false;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static uint64_t number_of(const json_t *object, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(object, name));
}

/* Of a profile what was there at the peak. */
static struct flame_amount amount_of(const json_t *object)
{
	const json_t *peak = json_object_get(object, "peak");

	if (peak)
		object = peak;
	return (struct flame_amount){ number_of(object, "bytes"), number_of(object, "blocks") };
}

static bool is_report(const json_t *document, const char *path)
{
	const char *schema = text_of(document, "schema");

	if (!schema || (strcmp(schema, SCHEMA) != 0 && strcmp(schema, PROFILE_SCHEMA) != 0))
		return complain(path, "is no leak report: \"schema\" is not \"" SCHEMA "\"");
	if (number_of(document, "version") != SCHEMA_VERSION)
		return complain(path, "is a report of another version");
	return true;
}

/* All that is in the file, as an array; NULL: after a message. */
static json_t *load_documents(FILE *file, const char *path)
{
	json_t *documents = json_array();

	for (;;) {
		json_error_t error;
		json_t *document;
		int c;

		while ((c = getc(file)) == ' ' || c == '\n' || c == '\r' || c == '\t')
			continue;
		if (c == EOF)
			return documents;
		ungetc(c, file);
		document = json_loadf(file, JSON_DISABLE_EOF_CHECK, &error);
		if (!document)
			complain(path, error.text);
		if (!document || !is_report(document, path))
			break;
		json_array_append_new(documents, document);
	}
	json_decref(documents);
	return NULL;
}

/* Where a function has no name: "libc.so.6+0x2724a". The text is overwritten by the next call. */
static const char *place_of(const json_t *json, size_t i)
{
	static char places[MAX_FRAMES][64];
	const char *module = text_of(json, "module");
	const char *slash = module ? strrchr(module, '/') : NULL;
	const char *offset = text_of(json, module ? "offset" : "pc");

	snprintf(places[i], sizeof(places[i]), "%.40s%s%.20s",
		 slash ? slash + 1 : module ? module : "", module ? "+" : "",
		 offset ? offset : "?");
	return places[i];
}

static struct flame_frame frame_of(const json_t *json, size_t i)
{
	const char *function = text_of(json, "function");

	return (struct flame_frame){
		.name = function ? function : place_of(json, i),
		.file = text_of(json, "file"),
		.module = text_of(json, "module"),
		.line = (unsigned int)number_of(json, "line"),
	};
}

/* What is above the functions: the process, if there are several, and the kind. */
struct levels {
	bool processes, kinds;
	char process[4096];
};

static size_t upper_frames(const struct levels *levels, const char *kind,
			   struct flame_frame *frames)
{
	size_t nr = 0;

	if (levels->processes)
		frames[nr++] = (struct flame_frame){ .name = levels->process };
	if (levels->kinds)
		frames[nr++] = (struct flame_frame){ .name = kind ? kind : "?" };
	return nr;
}

static void add_group(struct flame_node *root, const json_t *group, const struct levels *levels)
{
	static struct flame_frame frames[MAX_FRAMES];
	const json_t *list = json_object_get(group, "frames");
	size_t nr = upper_frames(levels, text_of(group, "kind"), frames);
	const char *cache = text_of(group, "cache");

	for (size_t i = json_array_size(list); i-- > 0 && nr < MAX_FRAMES; nr++)
		frames[nr] = frame_of(json_array_get(list, i), nr);
	if (!json_array_size(list))
		frames[nr++] = (struct flame_frame){ .name = cache ? cache : "(no stack)" };
	flame_add(root, frames, nr, amount_of(group));
}

static void add_rest(struct flame_node *root, const json_t *rest, const struct levels *levels)
{
	struct flame_frame frames[3];
	size_t nr = upper_frames(levels, "(not listed)", frames);
	uint64_t nr_groups = number_of(rest, "groups");
	char name[64];

	if (!nr_groups)
		return;
	snprintf(name, sizeof(name), "(%" PRIu64 " more group%s)", nr_groups,
		 nr_groups == 1 ? "" : "s");
	frames[nr++] = (struct flame_frame){ .name = name };
	flame_add(root, frames, nr, amount_of(rest));
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path ? path : "?";
}

static void add_document(struct flame_node *root, const json_t *document, struct levels *levels)
{
	const json_t *groups = json_object_get(document, "groups"), *group;
	size_t i;

	snprintf(levels->process, sizeof(levels->process), "%s [%" PRIu64 "]",
		 base_name(text_of(document, "exe")), number_of(document, "pid"));
	json_array_foreach(groups, i, group)
		add_group(root, group, levels);
	add_rest(root, json_object_get(document, "rest"), levels);
}

/* Groups of more than one kind, in any of the reports. */
static bool has_kinds(const json_t *documents)
{
	const char *first = NULL;
	const json_t *document, *group;
	size_t i, j;

	json_array_foreach(documents, i, document) {
		json_array_foreach(json_object_get(document, "groups"), j, group) {
			const char *kind = text_of(group, "kind");

			if (first && kind && strcmp(first, kind) != 0)
				return true;
			first = kind;
		}
	}
	return false;
}

static char *title_of(const json_t *documents)
{
	const json_t *document = json_array_get(documents, 0);
	size_t nr = json_array_size(documents);
	char *title;
	int length;

	if (nr > 1)
		length = asprintf(&title, "%zu processes", nr);
	else
		length = asprintf(&title, "%s, process %" PRIu64,
				  text_of(document, "command") ? text_of(document, "command") : "?",
				  number_of(document, "pid"));
	return length < 0 ? NULL : title;
}

static bool read_json(FILE *file, const char *path, struct flame_report *report)
{
	json_t *documents = load_documents(file, path);
	struct levels levels;
	const json_t *document;
	size_t i;

	if (!documents)
		return false;
	levels.processes = json_array_size(documents) > 1;
	levels.kinds = has_kinds(documents);
	json_array_foreach(documents, i, document)
		add_document(&report->root, document, &levels);
	report->title = title_of(documents);
	json_decref(documents);
	return true;
}

/* --- collapsed -------------------------------------------------------------------------------- */

/* The line is taken to pieces. */
static bool add_line(struct flame_node *root, char *line)
{
	static struct flame_frame frames[MAX_FRAMES];
	char *end, *number = strrchr(line, ' ');
	struct flame_amount amount = { 0 };
	size_t nr = 0;

	if (!number || number == line)
		return false;
	amount.bytes = strtoull(number + 1, &end, 10);
	if (!isdigit((unsigned char)number[1]) || *end)
		return false;
	*number = '\0';
	for (char *name; (name = strsep(&line, ";")) && nr < MAX_FRAMES; nr++)
		frames[nr] = (struct flame_frame){ .name = name };
	flame_add(root, frames, nr, amount);
	return true;
}

static bool read_collapsed(FILE *file, const char *path, struct flame_report *report)
{
	char *line = NULL;
	size_t room = 0;
	bool is_good = true;

	while (is_good && getline(&line, &room, file) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		is_good = !*line || add_line(&report->root, line);
	}
	free(line);
	report->title = strdup(base_name(path));
	return is_good ||
	       complain(path, "has lines that are no stack of NAME;NAME... and a number; leak "
			      "reports are read if written with leak_format=json or collapsed");
}

bool flame_read(FILE *file, const char *path, struct flame_report *report)
{
	int first = getc(file);
	bool is_read;

	ungetc(first, file);
	is_read = first == '{' ? read_json(file, path, report) :
				 read_collapsed(file, path, report);
	if (!ferror(file))
		return is_read;
	return complain(path, strerror(errno));
}
