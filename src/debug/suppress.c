/* suppress.c - see suppress.h. */
#include "debug/suppress.h"

#include <string.h>

#include "base/format.h"
#include "base/math.h"
#include "core/printk.h"

/* Part of a text: up to, but without, `end`. */
struct span {
	const char *start, *end;
};

struct suppress_rule {
	struct span line;    /* without white space around it */
	struct span pattern; /* behind the colon; of a stack: rule, all of them */
	const char *name;    /* of the text */
	unsigned int line_number;
	bool is_stack, is_builtin;
	size_t max_blocks;	   /* SIZE_MAX: has no max: */
	size_t nr_blocks, nr_bytes; /* suppressed; nr_blocks <= max_blocks, if callers keep to it */
};

/* In the order of adding; the first nr_rules are there. */
static struct suppress_rule rules[SUPPRESS_MAX_RULES];
static unsigned int nr_rules;

#define BUILTIN_NAME "built-in"
/* Longest part of a bad line that a message repeats. */
#define QUOTE_MAX_BYTES 64u
/* Less than a report's buffer, beyond which a text is cut. */
#define PRINT_MAX_BYTES 512u

/* --- spans ----------------------------------------------------------------------------------- */

static size_t span_bytes(struct span span)
{
	return (size_t)(span.end - span.start);
}

static struct span span_of(const char *text)
{
	return (struct span){ text, text + strlen(text) };
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span trim(struct span span)
{
	while (span.start < span.end && is_space(*span.start))
		span.start++;
	while (span.start < span.end && is_space(span.end[-1]))
		span.end--;
	return span;
}

/* True, and the word is taken off, when the span begins with it. */
static bool take_word(struct span *span, const char *word)
{
	size_t bytes = strlen(word);

	if (span_bytes(*span) < bytes || memcmp(span->start, word, bytes) != 0)
		return false;
	span->start += bytes;
	return true;
}

/* Take off what is before the separator, or all. False: the last part has been taken. */
static bool take_part(struct span *rest, char separator, struct span *part)
{
	const char *end;

	if (!rest->start)
		return false;
	end = memchr(rest->start, separator, span_bytes(*rest));
	*part = (struct span){ rest->start, end ? end : rest->end };
	rest->start = end ? end + 1 : NULL;
	return true;
}

/* --- patterns -------------------------------------------------------------------------------- */

/* A pattern without its anchors. Open: there may be other text before it, or behind. */
struct glob {
	struct span text;
	bool is_open_before, is_open_behind;
};

static struct glob glob_of(struct span pattern)
{
	struct glob glob = { pattern, true, true };

	if (take_word(&glob.text, "^"))
		glob.is_open_before = false;
	if (span_bytes(glob.text) && glob.text.end[-1] == '$') {
		glob.text.end--;
		glob.is_open_behind = false;
	}
	return glob;
}

/*
 * After a mismatch the last star that was passed takes more: up to where what follows it may begin.
 * Stars before that one need not be tried again: what follows them was found as early as can be.
 */
static bool glob_matches(struct glob glob, const char *name)
{
	const char *at = glob.text.start, *end = glob.text.end;
	const char *behind_star = glob.is_open_before ? at : NULL, *taken = name;

	while (*name) {
		if (at == end && glob.is_open_behind)
			return true;
		if (at < end && *at == '*') {
			behind_star = ++at;
			taken = name;
		} else if (at < end && *at == *name) {
			at++;
			name++;
		} else if (behind_star) {
			at = behind_star;
			taken = at < end ? strchr(taken + 1, *at) : taken + 1;
			if (!taken)
				return false;
			name = taken;
		} else {
			return false;
		}
	}
	while (at < end && *at == '*')
		at++;
	return at == end;
}

static bool pattern_matches(struct span pattern, const char *name)
{
	return name && *name && glob_matches(glob_of(pattern), name);
}

static bool frame_matches(struct span pattern, const struct suppress_frame *frame)
{
	return pattern_matches(pattern, frame->function) || pattern_matches(pattern, frame->file) ||
	       pattern_matches(pattern, frame->module);
}

/* --- reading rules --------------------------------------------------------------------------- */

/* One that matches everything, or nothing, is a slip: `*` says the former. */
static const char *check_pattern(struct span pattern)
{
	return span_bytes(glob_of(pattern).text) ? NULL : "empty pattern";
}

static const char *check_stack(struct span rest)
{
	struct span element;
	unsigned int nr_elements = 0;

	while (take_part(&rest, ';', &element)) {
		const char *complaint = check_pattern(trim(element));

		if (complaint)
			return complaint;
		nr_elements++;
	}
	return nr_elements <= SUPPRESS_MAX_ELEMENTS ? NULL : "too many patterns";
}

/* The number, up to white space. */
static bool take_max(struct span *rest, size_t *max_blocks)
{
	struct span number = { rest->start, rest->start };
	uint64_t value;

	while (number.end < rest->end && !is_space(*number.end))
		number.end++;
	if (!parse_bytes(number.start, span_bytes(number), &value) || !value)
		return false;
	rest->start = number.end;
	*rest = trim(*rest);
	*max_blocks = value;
	return true;
}

/* Returns what is wrong with the line, or NULL. */
static const char *read_rule(struct span line, struct suppress_rule *rule)
{
	struct span rest = line;

	*rule = (struct suppress_rule){ .line = line, .max_blocks = SIZE_MAX };
	if (memchr(line.start, '\0', span_bytes(line)))
		return "zero byte";
	if (take_word(&rest, "max:") && !take_max(&rest, &rule->max_blocks))
		return "not a number of blocks";
	rule->is_stack = take_word(&rest, "stack:");
	if (!rule->is_stack && !take_word(&rest, "leak:"))
		return "neither leak: nor stack:";
	rule->pattern = trim(rest);
	return rule->is_stack ? check_stack(rule->pattern) : check_pattern(rule->pattern);
}

/* Returns what is wrong with the line, or NULL. */
static const char *add_line(struct span line, unsigned int line_number, const char *name)
{
	struct suppress_rule rule;
	const char *complaint;

	if (!span_bytes(line) || *line.start == '#')
		return NULL;
	complaint = read_rule(line, &rule);
	if (complaint)
		return complaint;
	if (nr_rules == SUPPRESS_MAX_RULES)
		return "too many rules";
	rule.name = name;
	rule.line_number = line_number;
	rules[nr_rules++] = rule;
	return NULL;
}

static void complain(const char *name, unsigned int line_number, const char *complaint,
		     struct span line)
{
	size_t bytes = min_size(span_bytes(line), QUOTE_MAX_BYTES);

	pr_err("suppressions, %s:%u: %s: %.*s", name, line_number, complaint, (int)bytes,
	       line.start);
}

unsigned int suppress_add(const char *text, size_t bytes, const char *name)
{
	struct span rest, line;
	unsigned int line_number = 0, first_bad = 0;

	if (!bytes) /* there may be no text at all */
		return 0;
	rest = (struct span){ text, text + bytes };
	while (take_part(&rest, '\n', &line)) {
		const char *complaint;

		line = trim(line);
		complaint = add_line(line, ++line_number, name);
		if (complaint && !first_bad) {
			first_bad = line_number;
			complain(name, line_number, complaint, line);
		}
	}
	return first_bad;
}

void suppress_add_builtin(void)
{
	static const char text[] =
#define RULE(rule) rule "\n"
#include "debug/suppress.def"
#undef RULE
		;
	unsigned int nr_before = nr_rules;

	suppress_add(text, sizeof(text) - 1, BUILTIN_NAME);
	while (nr_before < nr_rules)
		rules[nr_before++].is_builtin = true;
}

void suppress_reset(void)
{
	nr_rules = 0;
}

void suppress_begin(void)
{
	for (unsigned int i = 0; i < nr_rules; i++)
		rules[i].nr_blocks = rules[i].nr_bytes = 0;
}

/* --- matching -------------------------------------------------------------------------------- */

void suppress_match_begin(struct suppress_match *match, size_t nr_blocks)
{
	match->nr_blocks = nr_blocks;
	match->first = SUPPRESS_MAX_RULES;
	for (unsigned int i = 0; i < nr_rules; i++)
		match->reached[i] = 1;
}

/*
 * One more frame for a stack: rule. All ways to deal out the frames to the elements are followed
 * at once, each a bit. True when one of them has come behind the last element.
 */
static bool match_stack(struct span pattern, const struct suppress_frame *frame, uint32_t *reached)
{
	struct span element;
	uint32_t before = *reached, after = 0, bit = 1;

	for (; take_part(&pattern, ';', &element); bit <<= 1) {
		element = trim(element);
		if (span_bytes(element) == 1 && *element.start == '*') {
			before |= (before & bit) << 1; /* it is no frame; or this one, */
			after |= before & bit;	       /* and perhaps more */
			after |= (after & bit) << 1;
		} else if ((before & bit) && frame_matches(element, frame)) {
			after |= bit << 1;
		}
	}
	*reached = after;
	return after & bit;
}

static bool has_room(const struct suppress_rule *rule, size_t nr_blocks)
{
	return rule->nr_blocks <= rule->max_blocks &&
	       nr_blocks <= rule->max_blocks - rule->nr_blocks;
}

/* Rules behind one that has matched are of no interest any more, nor are their states. */
void suppress_match_frame(struct suppress_match *match, const struct suppress_frame *frame)
{
	unsigned int end = match->first < nr_rules ? match->first : nr_rules;

	for (unsigned int i = 0; i < end; i++) {
		const struct suppress_rule *rule = &rules[i];
		bool matches = rule->is_stack ?
				       match_stack(rule->pattern, frame, &match->reached[i]) :
				       frame_matches(rule->pattern, frame);

		if (matches && has_room(rule, match->nr_blocks)) {
			match->first = i;
			return;
		}
	}
}

struct suppress_rule *suppress_match_end(const struct suppress_match *match)
{
	return match->first < nr_rules ? &rules[match->first] : NULL;
}

uint32_t suppress_number(const struct suppress_rule *rule)
{
	return (uint32_t)(rule - rules) + 1;
}

bool suppress_take(uint32_t number, size_t bytes)
{
	struct suppress_rule *rule = &rules[number - 1];

	if (!has_room(rule, 1))
		return false;
	suppress_count(rule, bytes, 1);
	return true;
}

void suppress_count(struct suppress_rule *rule, size_t bytes, size_t nr_blocks)
{
	rule->nr_bytes += bytes;
	rule->nr_blocks += nr_blocks;
}

/* --- reporting ------------------------------------------------------------------------------- */

static void print_span(struct report *report, struct span span)
{
	while (span_bytes(span)) {
		size_t bytes = min_size(span_bytes(span), PRINT_MAX_BYTES);

		report_printf(report, "%.*s", (int)bytes, span.start);
		span.start += bytes;
	}
}

/* Of LeakSanitizer's rules what it prints: the pattern. */
static struct span template_of(const struct suppress_rule *rule)
{
	return rule->is_stack || rule->max_blocks != SIZE_MAX ? rule->line : rule->pattern;
}

static bool is_used(const struct suppress_rule *rule)
{
	return rule->nr_blocks > 0;
}

/* The order of the table: most bytes first, then as they were added. Total: no two are equal. */
static bool comes_before(const struct suppress_rule *a, const struct suppress_rule *b)
{
	return a->nr_bytes != b->nr_bytes ? a->nr_bytes > b->nr_bytes : a < b;
}

/* The first that was used, of those behind `last` (NULL: of all). NULL: there are no more. */
static const struct suppress_rule *next_used(const struct suppress_rule *last)
{
	const struct suppress_rule *next = NULL;

	for (const struct suppress_rule *rule = rules; rule < rules + nr_rules; rule++)
		if (is_used(rule) && (!last || comes_before(last, rule)) &&
		    (!next || comes_before(rule, next)))
			next = rule;
	return next;
}

void suppress_visit_used(suppress_use_fn *fn, void *context)
{
	for (const struct suppress_rule *rule = next_used(NULL); rule; rule = next_used(rule)) {
		struct suppress_use use = { rule->line.start, rule->name, span_bytes(rule->line),
					    rule->nr_blocks, rule->nr_bytes };

		fn(context, &use);
	}
}

static void report_used(struct report *report)
{
	static const char ruler[] = "-----------------------------------------------------";
	const struct suppress_rule *rule = next_used(NULL);

	if (!rule)
		return;
	report_printf(report, "%s\nSuppressions used:\n  count      bytes template\n", ruler);
	for (; rule; rule = next_used(rule)) {
		report_printf(report, "%7zu %10zu ", rule->nr_blocks, rule->nr_bytes);
		print_span(report, template_of(rule));
		report_printf(report, "\n");
	}
	report_printf(report, "%s\n\n", ruler);
}

static void report_unused(struct report *report)
{
	bool is_first = true;

	for (const struct suppress_rule *rule = rules; rule < rules + nr_rules; rule++) {
		if (rule->is_builtin || is_used(rule))
			continue;
		if (is_first)
			report_printf(report, "Suppressions never used:\n");
		is_first = false;
		report_printf(report, "  %s:%u: ", rule->name, rule->line_number);
		print_span(report, rule->line);
		report_printf(report, "\n");
	}
	if (!is_first)
		report_printf(report, "\n");
}

void suppress_report(struct report *report, bool unused)
{
	report_used(report);
	if (unused)
		report_unused(report);
}

/* --- rules to take over ---------------------------------------------------------------------- */

/*
 * Functions that allocate for their caller, by the end of their names: libc's, GLib's and those
 * that programs wrap around them; and C++'s, demangled or not.
 */
static bool is_allocation_function(const char *function)
{
	static const char *const patterns[] = {
		"alloc$",  "alloc0$",  "alloc_n$", "alloc0_n$", "reallocarray$", "memalign$",
		"strdup$", "strndup$", "wcsdup$",  "memdup$",	"memdup2$",	 "asprintf$",
		"getline$", "getdelim$", "^__vasprintf_internal$",
		"^operator new", "^std::", "^void std::", "^__gnu_cxx::",
		"^_Znw", "^_Zna", "^_ZNSt", "^_ZNKSt", "^_ZSt", "^_ZN9__gnu_cxx",
	};

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		if (pattern_matches(span_of(patterns[i]), function))
			return true;
	return false;
}

static bool is_named(const char *name)
{
	return name && *name;
}

/* From the last slash on. */
static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash : path;
}

bool suppress_print_rule(struct report *report, const struct suppress_frame *frame)
{
	const char *start, *name;

	if (is_named(frame->function)) {
		if (is_allocation_function(frame->function))
			return false;
		start = "leak:^";
		name = frame->function;
	} else {
		/* A rule for a whole program would hide all its leaks. */
		if (!frame->module || !strstr(base_of(frame->module), ".so"))
			return false;
		start = "leak:";
		name = base_of(frame->module);
	}
	report_printf(report, "%s", start);
	print_span(report, span_of(name));
	report_printf(report, "$\n");
	return true;
}
