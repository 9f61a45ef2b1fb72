/*
 * suppress.h - leaks that are known and not to be reported: rules in LeakSanitizer's format.
 *
 * L7. A text has one rule a line. White space around it, CR LF, blank lines and lines that
 * begin with # are passed over; there is no comment behind a rule, for names of C++ contain #.
 *
 *	leak:PATTERN             some frame of the stack matches
 *	stack:PATTERN;*;PATTERN  the frames match in this order, innermost first, as printed
 *	max:N leak:PATTERN       (or stack:) but for at most N blocks in all; more are reported
 *
 * A file of LeakSanitizer's means here what it means there; but a pattern with nothing in it, which
 * hides every leak there, is an error here, and blanks behind the colon are none of the pattern's.
 * The other two kinds of lines are ours; they begin with words that LeakSanitizer refuses, so that
 * to it none of them is something else.
 *
 * PATTERN is looked for in the function, the file and the module (path of the program or library)
 * of a frame. It may lie anywhere in the name, unless ^ is its first character (the name begins
 * so) or $ its last (the name ends so); * is any text, also none. All else, and a ^ or $ elsewhere,
 * is itself. A frame of which nothing is known matches no pattern; any other matches ^*.
 *
 * In a stack: rule a * that stands alone is any number of frames, also none and unknown ones. The
 * first PATTERN is the innermost frame's, unless a * stands before it; behind the last frame there
 * may be any. A function that was inlined is a frame of its own.
 *
 * The innermost frame is to be the function that was called for memory, by the name that the
 * program knows: malloc, calloc, operator new(unsigned long). By it and the next one built-in
 * rules tell what a library allocates for itself.
 *
 * A suppressed block should count as a root: what only it points to is no leak either. That is for
 * the caller to do; several built-in rules name only the block by which a scan loses the trail.
 *
 * Never allocates, takes no lock: for one thread at a time.
 */
#ifndef DEBUG_SUPPRESS_H
#define DEBUG_SUPPRESS_H

#include "core/report.h"

/* Of all texts together: more than any program has that is still read by anybody. */
#define SUPPRESS_MAX_RULES 1024u
/* Patterns and lone stars of one stack: rule; struct suppress_match has a bit for each. */
#define SUPPRESS_MAX_ELEMENTS 31u

struct suppress_rule;

/*
 * Add the rules of a text, behind those that are there. The text and its name (of the file, for
 * messages) must stay where they are: rules point to them. Returns the number of the first bad
 * line, counted from 1, after a message to stderr that says what is wrong with it; 0: none is bad.
 * Good lines before and behind it are kept. A rule for which there is no room is a bad line, too.
 */
unsigned int suppress_add(const char *text, size_t bytes, const char *name);
/* Ours, suppress.def. Best added last: a leak counts for the first rule that matches. */
void suppress_add_builtin(void);

/* Each may be NULL, when it is not known. */
struct suppress_frame {
	const char *function, *file, *module;
};

/*
 * What is known of one stack, while its frames are looked at one by one:
 *
 *	suppress_match_begin(&match, nr_blocks);
 *	for each frame, innermost first
 *		suppress_match_frame(&match, &frame);
 *	rule = suppress_match_end(&match);
 *	if (rule)
 *		suppress_count(rule, bytes, nr_blocks);
 *
 * No rule may be added meanwhile. Large for a stack, small for a static.
 */
struct suppress_match {
	size_t nr_blocks;
	/* Number of the first rule that matches and has room; SUPPRESS_MAX_RULES: none yet. */
	unsigned int first;
	/* Of stack: rules. Bit i: the frames up to here match the elements before element i. */
	uint32_t reached[SUPPRESS_MAX_RULES];
};

/* So many blocks were allocated with this stack; a max: must have room for all of them. */
void suppress_match_begin(struct suppress_match *match, size_t nr_blocks);
void suppress_match_frame(struct suppress_match *match, const struct suppress_frame *frame);
/* NULL: no rule matches, the leak is to be reported. */
struct suppress_rule *suppress_match_end(const struct suppress_match *match);

/* These were suppressed by the rule. */
void suppress_count(struct suppress_rule *rule, size_t bytes, size_t nr_blocks);

/* For who remembers which rule a stack matches: a number, never 0 nor UINT32_MAX. */
uint32_t suppress_number(const struct suppress_rule *rule);
/* Count one more block. False, and nothing is counted: the rule's max: is reached. */
bool suppress_take(uint32_t number, size_t bytes);

/*
 * A table like LeakSanitizer's of the rules that were used, most bytes first; nothing if none was.
 * unused: behind it a list of those that were not, without the built-in ones.
 */
void suppress_report(struct report *report, bool unused);

/* A look begins: nothing has been counted, and no rule is used up. */
void suppress_begin(void);

/* A rule that was used: its line, and the name of the text that it is in. */
struct suppress_use {
	const char *line, *name;
	size_t line_bytes, nr_blocks, nr_bytes;
};

/* Call fn for every rule that was used, most bytes first. */
typedef void suppress_use_fn(void *context, const struct suppress_use *use);
void suppress_visit_used(suppress_use_fn *fn, void *context);

/*
 * Print a line with a rule for a leak, for LeakSanitizer, too: to be called for frame after frame,
 * innermost first, until it returns true. False, and nothing is printed: the frame names nobody,
 * being a function that allocates for its caller (malloc, strdup, operator new, std::), or one
 * without a name that is in no library.
 */
bool suppress_print_rule(struct report *report, const struct suppress_frame *frame);

/* For tests: no rules. */
void suppress_reset(void);

#endif
