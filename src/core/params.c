/*
 * params.c - the table of options, made from params.def, and the readers of its three sources.
 *
 * L2. Runs before anything is allocated: texts are (address, length) pairs into the sources.
 */
#include <string.h>

#include "base/format.h"
#include "base/math.h"
#include "core/params.h"
#include "core/printk.h"
#include "core/report.h"
#include "os/os.h"

#define CONFIG_FILE "/etc/stitchmalloc.conf"
#define CONFIG_FILE_MAX_BYTES 4096u
#define CONFIG_VARIABLE "STITCH_CONF"
/* Longest part of a wrong key or value that a message repeats. */
#define QUOTE_MAX_BYTES 64u

/* A program may set options by `const char *stitch_conf = "key=value,...";`. */
extern const char *stitch_conf __attribute__((weak)) __visible;

struct params params = {
#define PARAM_BOOL(name, initial, help) .name = (initial),
#define PARAM_SIZE(name, initial, low, high, help) .name = (initial),
#define PARAM_CHOICE(name, initial, words, help) .name = (initial),
#define PARAM_SET(name, initial, words, help) .name = (initial),
#define PARAM_TEXT(name, help)
#include "core/params.def"
#undef PARAM_BOOL
#undef PARAM_SIZE
#undef PARAM_CHOICE
#undef PARAM_SET
#undef PARAM_TEXT
};

enum param_kind { KIND_BOOL, KIND_SIZE, KIND_CHOICE, KIND_SET, KIND_TEXT };

#define NAME_MAX_BYTES 24u

struct param {
	char name[NAME_MAX_BYTES];
	enum param_kind kind;
	size_t offset; /* in struct params */
	uint64_t low, high; /* of a size */
	const char *words;  /* of a choice or set, '|' between; the index is the value or bit */
	const char *help;
};

/* What the options were before any source was read. */
static struct params defaults;

static const struct param table[] = {
#define PARAM_BOOL(name, initial, help) \
	{ #name, KIND_BOOL, offsetof(struct params, name), 0, 1, NULL, help },
#define PARAM_SIZE(name, initial, low, high, help) \
	{ #name, KIND_SIZE, offsetof(struct params, name), low, high, NULL, help },
#define PARAM_CHOICE(name, initial, words, help) \
	{ #name, KIND_CHOICE, offsetof(struct params, name), 0, 0, words, help },
#define PARAM_SET(name, initial, words, help) \
	{ #name, KIND_SET, offsetof(struct params, name), 0, 0, words, help },
#define PARAM_TEXT(name, help) \
	{ #name, KIND_TEXT, offsetof(struct params, name), 0, 0, NULL, help },
#include "core/params.def"
};

/* Even: no. Odd: yes. */
static const char bool_words[] = "0|1|false|true|no|yes|off|on";

struct text {
	const char *start;
	size_t length;
};

static bool text_is(struct text text, const char *word, size_t length)
{
	return text.length == length && !memcmp(text.start, word, length);
}

/* Words are separated by '|'. Behind a ':' in one is the option that it takes a value for. */
static struct text nth_word(const char *words, uint64_t n)
{
	for (; n; n--)
		words += strcspn(words, "|") + 1;
	return (struct text){ words, strcspn(words, "|:") };
}

static struct text nth_option(const char *words, uint64_t n)
{
	struct text word = nth_word(words, n);
	const char *option = word.start + word.length;

	option += *option == ':';
	return (struct text){ option, strcspn(option, "|") };
}

/* The index of `text` among the words; -1 when it is none of them. */
static int find_word(const char *words, struct text text)
{
	int nr = 1;

	for (const char *at = words; *at; at++)
		nr += *at == '|';
	for (int i = 0; i < nr; i++) {
		struct text word = nth_word(words, (uint64_t)i);

		if (text_is(text, word.start, word.length))
			return i;
	}
	return -1;
}

static const struct param *find_param(struct text key)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (text_is(key, table[i].name, strlen(table[i].name)))
			return &table[i];
	}
	return NULL;
}

/* Levenshtein's: insertions, removals and changes of a character that make `key` the name. */
static size_t edit_distance(struct text key, const char *name)
{
	size_t row[NAME_MAX_BYTES]; /* distances of the key so far to every beginning of name */
	size_t length = strlen(name);

	for (size_t i = 0; i <= length; i++)
		row[i] = i;
	for (size_t k = 0; k < key.length; k++) {
		size_t diagonal = row[0]++;

		for (size_t i = 1; i <= length; i++) {
			size_t change = diagonal + (key.start[k] != name[i - 1]);

			diagonal = row[i];
			row[i] = min_size(change, min_size(row[i], row[i - 1]) + 1);
		}
	}
	return row[length];
}

static const struct param *nearest_param(struct text key)
{
	const struct param *nearest = &table[0];
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		size_t distance = edit_distance(key, table[i].name);

		if (distance < least) {
			least = distance;
			nearest = &table[i];
		}
	}
	return nearest;
}

/* The beginning of `rest` up to the first of `ends`, or all of it; cut off from rest. */
static struct text cut_until(struct text *rest, const char *ends)
{
	struct text head = { rest->start, 0 };

	while (head.length < rest->length && !strchr(ends, head.start[head.length]))
		head.length++;
	rest->start += head.length;
	rest->length -= head.length;
	return head;
}

static void skip_char(struct text *rest)
{
	if (rest->length) {
		rest->start++;
		rest->length--;
	}
}

/* One word at least. */
static bool parse_set(const char *words, struct text text, uint64_t *value)
{
	*value = 0;
	for (;;) {
		int word = find_word(words, cut_until(&text, "+"));

		if (word < 0)
			return false;
		*value |= 1u << word;
		if (!text.length)
			return true;
		skip_char(&text);
	}
}

static bool parse_value(const struct param *param, struct text text, uint64_t *value)
{
	int word;

	if (param->kind == KIND_SIZE)
		return parse_bytes(text.start, text.length, value) && *value >= param->low &&
		       *value <= param->high;
	if (param->kind == KIND_SET)
		return parse_set(param->words, text, value);
	word = find_word(param->kind == KIND_BOOL ? bool_words : param->words, text);
	*value = (uint64_t)(param->kind == KIND_BOOL ? word & 1 : word);
	return word >= 0;
}

static void set_value(const struct param *param, uint64_t value)
{
	void *member = (char *)&params + param->offset;

	switch (param->kind) {
	case KIND_BOOL:
		*(bool *)member = value;
		break;
	case KIND_SIZE:
		*(uint64_t *)member = value;
		break;
	case KIND_CHOICE:
	case KIND_SET:
		*(unsigned int *)member = (unsigned int)value;
		break;
	case KIND_TEXT:
		break;
	}
}

static bool set_text(const struct param *param, struct text text)
{
	char *member = (char *)&params + param->offset;

	if (text.length >= PARAM_TEXT_BYTES)
		return false;
	memcpy(member, text.start, text.length);
	member[text.length] = 0;
	return true;
}

static bool set_plain(const struct param *param, struct text text)
{
	uint64_t value;

	if (param->kind == KIND_TEXT)
		return set_text(param, text);
	if (!parse_value(param, text, &value))
		return false;
	set_value(param, value);
	return true;
}

/* word:VALUE. What is wrong with either changes nothing. */
static bool set_from_text(const struct param *param, struct text text)
{
	struct text word = text;
	bool is_choice = param->kind == KIND_CHOICE;
	const char *colon = is_choice ? memchr(text.start, ':', text.length) : NULL;
	const struct param *option;
	uint64_t index;

	if (!colon)
		return set_plain(param, text);
	word.length = (size_t)(colon - text.start);
	if (!parse_value(param, word, &index))
		return false;
	option = find_param(nth_option(param->words, index));
	text.start = colon + 1;
	text.length -= word.length + 1;
	return option && set_plain(option, text) && set_plain(param, word);
}

static uint64_t get_value(const struct params *from, const struct param *param)
{
	const void *member = (const char *)from + param->offset;

	switch (param->kind) {
	case KIND_BOOL:
		return *(const bool *)member;
	case KIND_SIZE:
		return *(const uint64_t *)member;
	case KIND_CHOICE:
	case KIND_SET:
		return *(const unsigned int *)member;
	case KIND_TEXT:
		return 0;
	}
	__builtin_unreachable();
}

/* Room for any value as text: 64 bits in decimal, a word, or all words of a set. */
struct value_text {
	char text[64];
};

/* A size as 0, 24K, 1T: with the largest suffix that keeps it exact. */
static struct value_text size_text(uint64_t bytes)
{
	static const char suffixes[][2] = { "", "K", "M", "G", "T" };
	struct value_text out;
	size_t i = 0;

	for (; bytes && bytes % 1024 == 0 && i + 1 < ARRAY_SIZE(suffixes); i++)
		bytes /= 1024;
	format_text(out.text, sizeof(out.text), "%llu%s", (unsigned long long)bytes, suffixes[i]);
	return out;
}

static struct value_text words_text(const char *words, uint64_t value)
{
	struct value_text out = { "" };
	size_t length = 0;

	for (uint64_t i = 0; value >> i; i++) {
		struct text word;

		if (!(value >> i & 1))
			continue;
		word = nth_word(words, i);
		length += format_text(out.text + length, sizeof(out.text) - length, "%s%.*s",
				      length ? "+" : "", (int)word.length, word.start);
	}
	return out;
}

static struct value_text value_text(const struct param *param, uint64_t value)
{
	struct value_text out;
	struct text word;

	if (param->kind == KIND_SIZE)
		return size_text(value);
	if (param->kind == KIND_SET)
		return words_text(param->words, value);
	word = nth_word(param->kind == KIND_BOOL ? bool_words : param->words, value);
	format_text(out.text, sizeof(out.text), "%.*s", (int)word.length, word.start);
	return out;
}

static int quote_length(struct text text)
{
	return (int)min_size(text.length, QUOTE_MAX_BYTES);
}

static void complain_of_value(const char *source, const struct param *param, struct text value)
{
	if (param->kind == KIND_TEXT)
		pr_err("%s: %s=\"%.*s...\" is too long, at most %u characters", source, param->name,
		       quote_length(value), value.start, PARAM_TEXT_BYTES - 1);
	else if (param->kind == KIND_SIZE)
		pr_err("%s: %s=\"%.*s\" is not a size from %s to %s", source, param->name,
		       quote_length(value), value.start, size_text(param->low).text,
		       size_text(param->high).text);
	else
		pr_err("%s: %s=\"%.*s\" is not one of %s%s", source, param->name,
		       quote_length(value), value.start,
		       param->kind == KIND_BOOL ? bool_words : param->words,
		       param->kind == KIND_SET ? ", nor several with + between them" : "");
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct text trim(struct text text)
{
	while (text.length && is_blank(text.start[0])) {
		text.start++;
		text.length--;
	}
	while (text.length && is_blank(text.start[text.length - 1]))
		text.length--;
	return text;
}

/* One key=value. A key without value is one with an empty value. */
static void apply_item(const char *source, struct text item)
{
	const struct param *param;
	struct text key, value;

	value = trim(item);
	if (!value.length)
		return;
	key = trim(cut_until(&value, "="));
	skip_char(&value);
	value = trim(value);
	param = find_param(key);
	if (!param)
		pr_err("%s: unknown option \"%.*s\", did you mean \"%s\"? (help=1 lists all)",
		       source, quote_length(key), key.start, nearest_param(key)->name);
	else if (!set_from_text(param, value))
		complain_of_value(source, param, value);
}

/* `ends` holds what separates items; a '#' among them starts a comment. */
static void apply_text(const char *source, struct text rest, const char *ends)
{
	while (rest.length) {
		apply_item(source, cut_until(&rest, ends));
		if (rest.length && rest.start[0] == '#')
			cut_until(&rest, "\n");
		skip_char(&rest);
	}
}

static void apply_file(void)
{
	char buffer[CONFIG_FILE_MAX_BYTES];
	long length = os_read_file(CONFIG_FILE, buffer, sizeof(buffer));

	if (length == sizeof(buffer))
		pr_err("%s: ignored, longer than %u bytes", CONFIG_FILE, CONFIG_FILE_MAX_BYTES - 1);
	else if (length > 0)
		apply_text(CONFIG_FILE, (struct text){ buffer, (size_t)length }, ",\n#");
}

/* The value of our variable, NULL when it is not set. */
static const char *find_variable(const char *const *environment)
{
	static const char name[] = CONFIG_VARIABLE "=";

	for (; environment && *environment; environment++) {
		if (!strncmp(*environment, name, sizeof(name) - 1))
			return *environment + sizeof(name) - 1;
	}
	return NULL;
}

void params_init(const struct os_start *start)
{
	const char *variable;
	struct report report;
	int fd = 2;

	defaults = params;
	if (start->secure)
		return;
	apply_file();
	if (&stitch_conf && stitch_conf)
		apply_text("stitch_conf", (struct text){ stitch_conf, strlen(stitch_conf) }, ",");
	variable = find_variable(start->environment);
	if (variable)
		apply_text(CONFIG_VARIABLE, (struct text){ variable, strlen(variable) }, ",");
	if (params.help) {
		report_init(&report, report_to_fd, &fd);
		params_print(&report);
		report_finish(&report);
	}
}

struct params_joint params_joint;

void params_join(void)
{
	bool leaks = params.leaks || params.profile;

	params_joint.no_caches = params.hardened || params_pad_objects();
	params_joint.no_hits = params.fail || params_joint.no_caches;
	params_joint.no_merging = params_joint.no_hits || leaks;
	params_joint.no_leaving = params.limit || leaks;
}

static void print_text_param(struct report *report, const struct param *param)
{
	report_printf(report, "%s=%s  (a text of at most %u characters)\n\t%s\n", param->name,
		      (const char *)&params + param->offset, PARAM_TEXT_BYTES - 1, param->help);
}

static void print_param(struct report *report, const struct param *param)
{
	if (param->kind == KIND_TEXT) {
		print_text_param(report, param);
		return;
	}
	report_printf(report, "%s=%s  (default %s; ", param->name,
		      value_text(param, get_value(&params, param)).text,
		      value_text(param, get_value(&defaults, param)).text);
	if (param->kind == KIND_SIZE)
		report_printf(report, "a size from %s to %s)\n", size_text(param->low).text,
			      size_text(param->high).text);
	else
		report_printf(report, "%s%s)\n",
			      param->kind == KIND_BOOL ? bool_words : param->words,
			      param->kind == KIND_SET ? ", or several: one+another" : "");
	report_printf(report, "\t%s\n", param->help);
}

void params_print(struct report *report)
{
	report_printf(report, "stitchmalloc options (" CONFIG_VARIABLE "=key=value,key=value):\n");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		print_param(report, &table[i]);
}
