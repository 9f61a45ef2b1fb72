/*
 * test_suppress.c - which lines are rules, what they match, what is counted and printed.
 *
 * Patterns are also compared with a matcher that tries everything.
 */
#include "core/report.h"
#include "debug/suppress.h"
#include "fake/os_fake.h"
#include "kunit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct suppress_match match;

/* --- helpers --------------------------------------------------------------------------------- */

static unsigned int add(const char *text)
{
	return suppress_add(text, strlen(text), "test.supp");
}

/* The only rules are those of the text, which are all good. */
static void only(const char *text)
{
	suppress_reset();
	EXPECT_EQ(add(text), 0);
}

/* Functions, innermost first, separated by blanks; `?` is a frame of which nothing is known. */
static struct suppress_rule *find(const char *stack, size_t nr_blocks)
{
	static char names[4096];
	char *rest = names, *name;

	ASSERT(strlen(stack) < sizeof(names));
	strcpy(names, stack);
	suppress_match_begin(&match, nr_blocks);
	while ((name = strtok_r(rest, " ", &rest))) {
		struct suppress_frame frame = { .function = strcmp(name, "?") ? name : NULL };

		suppress_match_frame(&match, &frame);
	}
	return suppress_match_end(&match);
}

static bool matches(const char *rule, const char *stack)
{
	only(rule);
	return find(stack, 1);
}

static struct suppress_rule *find_frame(const char *function, const char *file,
					const char *module)
{
	struct suppress_frame frame = { function, file, module };

	suppress_match_begin(&match, 1);
	suppress_match_frame(&match, &frame);
	return suppress_match_end(&match);
}

/* Whether leak:PATTERN matches a function of this name, which may have blanks. */
static bool pattern_matches(const char *pattern, const char *name)
{
	static char rule[4096];

	snprintf(rule, sizeof(rule), "leak:%s", pattern);
	only(rule);
	return find_frame(name, NULL, NULL);
}

static struct {
	char text[64 * 1024];
	size_t length;
} printed;

static int collect(void *context, const char *text, size_t bytes)
{
	(void)context;
	ASSERT(printed.length + bytes < sizeof(printed.text));
	memcpy(printed.text + printed.length, text, bytes);
	printed.length += bytes;
	printed.text[printed.length] = '\0';
	return 0;
}

static void print_begin(struct report *report)
{
	printed.length = 0;
	printed.text[0] = '\0';
	report_init(report, collect, NULL);
}

static const char *print_report(bool unused)
{
	struct report report;

	print_begin(&report);
	suppress_report(&report, unused);
	EXPECT_EQ(report_finish(&report), 0);
	return printed.text;
}

/* "-": no rule for this frame. */
static const char *print_rule(const char *function, const char *module)
{
	struct suppress_frame frame = { .function = function, .module = module };
	struct report report;
	bool has_printed;

	print_begin(&report);
	has_printed = suppress_print_rule(&report, &frame);
	report_finish(&report);
	EXPECT_EQ(has_printed, printed.length > 0);
	return has_printed ? printed.text : "-";
}

/* --- lines ----------------------------------------------------------------------------------- */

TEST(lines_without_a_rule)
{
	only("");
	EXPECT_EQ(suppress_add(NULL, 0, "none"), 0);
	only("\n\n  \t \r\n# leak:*\n   # leak:*\r\n#\n");
	EXPECT(!find("f", 1));
	EXPECT_STREQ(print_report(true), "");
}

TEST(white_space_around_rules_is_passed_over)
{
	EXPECT(matches("leak:foo", "foo"));
	EXPECT(matches("leak:^foo$\n", "foo"));
	EXPECT(matches("leak:^foo$\r\n", "foo"));
	EXPECT(matches("\r\n \t leak:  ^foo$ \t\r\n\r\n", "foo"));
	EXPECT(matches("  max:3 \t leak: ^foo$", "foo"));
	EXPECT(matches("stack: ^a$ ; * ; ^b$ \r\n", "a x b"));
}

TEST(white_space_and_number_signs_inside_a_pattern_count)
{
	EXPECT(pattern_matches("operator new(unsigned long)", "operator new(unsigned long)"));
	EXPECT(!pattern_matches("map<int, int>", "map<int,int>"));
	EXPECT(pattern_matches("^f()::{lambda()#1}$", "f()::{lambda()#1}"));
	EXPECT(!pattern_matches("f # why", "f"));
}

TEST(text_is_no_longer_than_it_is_said_to_be)
{
	static const char text[] = { 'l', 'e', 'a', 'k', ':', '^', 'f', 'o', 'o' };

	suppress_reset();
	EXPECT_EQ(suppress_add(text, sizeof(text) - 1, "exact"), 0);
	EXPECT(find("fobar", 1));
	EXPECT(!find("fabar", 1));
}

TEST(every_rule_of_every_text_counts)
{
	only("leak:^one$\n\n#\nleak:^two$\r\nstack:three");
	EXPECT_EQ(add("leak:^four$"), 0);
	EXPECT(find("one", 1) && find("two", 1) && find("three", 1) && find("four", 1));
	EXPECT(!find("five", 1));
	EXPECT(find("one", 1) != find("two", 1));
	suppress_reset();
	EXPECT(!find("one", 1));
}

TEST(bad_lines_are_told_and_the_others_kept)
{
	static const char *const bad[] = {
		"race:foo", "leak", "leak foo", "Leak:foo", "foo", "xleak:foo", ":foo",
		"max:3", "max:3 race:foo", "max: leak:foo", "max:0 leak:foo", "max:x leak:foo",
		"max:-1 leak:foo", "max:3leak:foo", "max:99999999999999999999999 leak:foo",
		"max:3 max:3 leak:foo",
		/* These would match everything or nothing. */
		"leak:", "leak:  ", "leak:^", "leak:$", "leak:^$", "stack:", "stack:;",
		"stack:a;", "stack:;a", "stack:a;;b", "stack:a; ;b", "stack:a;^$;b", "max:3 leak:",
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		char text[256];

		snprintf(text, sizeof(text), "leak:^before$\r\n#\r\n %s \r\nworse\nleak:^behind$",
			 bad[i]);
		suppress_reset();
		os_fake_reset();
		os_fake_capture_begin();
		EXPECT_EQ(add(text), 3);
		EXPECT(strstr(os_fake_capture_end(), "test.supp:3: "));
		EXPECT(find("before", 1));
		EXPECT(find("behind", 1));
		EXPECT(!find("foo", 1));
	}
}

TEST(bad_first_and_last_lines)
{
	suppress_reset();
	os_fake_reset();
	os_fake_capture_begin();
	EXPECT_EQ(add("bad\nleak:f"), 1);
	EXPECT_STREQ(os_fake_capture_end(),
		     "stitchmalloc: suppressions, test.supp:1: neither leak: nor stack:: bad\n");
	os_fake_capture_begin();
	EXPECT_EQ(add("leak:f\n\nbad"), 3);
	EXPECT_EQ(add("bad\n"), 1);
	EXPECT_EQ(suppress_add("leak:a\0b\n", 9, "zero"), 1);
	EXPECT_EQ(suppress_add("leak:a\n\0", 8, "zero"), 2);
	os_fake_capture_end();
}

TEST(message_repeats_the_beginning_of_a_line)
{
	static const char line[] = "0123456789012345678901234567890123456789"
				   "0123456789012345678901234567890123456789";

	suppress_reset();
	os_fake_reset();
	os_fake_capture_begin();
	EXPECT_EQ(add(line), 1);
	EXPECT(strstr(os_fake_capture_end(), ": 0123456789012345678901234567890123456789"
					     "012345678901234567890123\n"));
}

TEST(as_many_rules_as_there_is_room_for)
{
	static char text[SUPPRESS_MAX_RULES * 16 + 64];
	size_t length = 0;

	for (unsigned int i = 1; i <= SUPPRESS_MAX_RULES; i++)
		length += (size_t)sprintf(text + length, "leak:^f%u$\n", i);
	only(text);
	EXPECT(find("f1", 1));
	EXPECT(find("f1024", 1));
	strcpy(text + length, "# no rule\n\nleak:^f1025$\nleak:^f1026$\n");
	suppress_reset();
	os_fake_reset();
	os_fake_capture_begin();
	EXPECT_EQ(add(text), SUPPRESS_MAX_RULES + 3);
	EXPECT(strstr(os_fake_capture_end(), ":1027: too many rules: leak:^f1025$\n"));
	EXPECT(find("f1024", 1));
	EXPECT(!find("f1025", 1));
	EXPECT(!find("f1026", 1));
}

/* --- patterns -------------------------------------------------------------------------------- */

TEST(pattern_lies_anywhere_unless_anchored)
{
	EXPECT(pattern_matches("foo", "foo"));
	EXPECT(pattern_matches("foo", "a_foo_b"));
	EXPECT(pattern_matches("aab", "aaab"));
	EXPECT(!pattern_matches("foo", "fo"));
	EXPECT(!pattern_matches("foo", "FOO"));
	EXPECT(pattern_matches("^foo", "foobar"));
	EXPECT(!pattern_matches("^foo", "a_foo"));
	EXPECT(pattern_matches("foo$", "a_foo"));
	EXPECT(pattern_matches("foo$", "foofoo"));
	EXPECT(!pattern_matches("foo$", "foobar"));
	EXPECT(pattern_matches("^foo$", "foo"));
	EXPECT(!pattern_matches("^foo$", "foofoo"));
	EXPECT(!pattern_matches("^foo$", "foo_"));
}

TEST(anchors_elsewhere_are_characters)
{
	EXPECT(pattern_matches("a$b", "xa$by"));
	EXPECT(!pattern_matches("a$b", "a"));
	EXPECT(pattern_matches("operator^", "operator^(int)"));
	EXPECT(pattern_matches("^^$$", "^$"));
	EXPECT(!pattern_matches("*^foo", "foo"));
}

TEST(stars_match_any_text)
{
	EXPECT(pattern_matches("*", "x"));
	EXPECT(pattern_matches("**", "x"));
	EXPECT(pattern_matches("^*$", "x"));
	EXPECT(pattern_matches("a*c", "xabbcx"));
	EXPECT(pattern_matches("a*c", "ac"));
	EXPECT(!pattern_matches("a*c", "ca"));
	EXPECT(pattern_matches("^a*c$", "abcbc"));
	EXPECT(!pattern_matches("^a*c$", "abcb"));
	EXPECT(!pattern_matches("^a*c$", "babc"));
	EXPECT(pattern_matches("*tls_get_addr*", "__tls_get_addr"));
	EXPECT(pattern_matches("^*foo$", "a_foo"));
	EXPECT(pattern_matches("foo*$", "foobar"));
	EXPECT(!pattern_matches("^aba*aba$", "aba"));
	EXPECT(!pattern_matches("^ab*ba$", "aba"));
	EXPECT(pattern_matches("^operator*", "operator*(int)"));
}

TEST(nothing_matches_what_has_no_name)
{
	only("leak:*\nleak:^*$\nstack:^*");
	EXPECT(!find_frame(NULL, NULL, NULL));
	EXPECT(!find_frame("", "", ""));
	EXPECT(!find("?", 1));
	EXPECT(!find("", 1));
	EXPECT(find("? f", 1));
}

TEST(function_file_and_module_are_looked_at)
{
	only("leak:^name$");
	EXPECT(find_frame("name", NULL, NULL));
	EXPECT(find_frame(NULL, "name", NULL));
	EXPECT(find_frame("other", "other", "name"));
	EXPECT(!find_frame("na", "me", "nam"));
	only("leak:/libfoo.so");
	EXPECT(find_frame("f", "f.c", "/usr/lib/libfoo.so.1"));
	only("stack:^name$");
	EXPECT(find_frame("other", "name", "other"));
	EXPECT(find_frame("other", NULL, "name"));
}

TEST(any_frame_may_match)
{
	EXPECT(matches("leak:^a$", "a b c"));
	EXPECT(matches("leak:^b$", "a b c"));
	EXPECT(matches("leak:^c$", "a ? c"));
	EXPECT(!matches("leak:^ab$", "a b"));
}

TEST(patterns_may_be_longer_than_names)
{
	static char pattern[3001], name[3002];

	memset(pattern, 'x', 3000);
	EXPECT(!pattern_matches(pattern, "xxx"));
	memset(name, 'x', 2999);
	EXPECT(!pattern_matches(pattern, name));
	memset(name, 'x', 3001);
	EXPECT(pattern_matches(pattern, name));
}

/* The definition, by trying everything; without anchors, which `open` says instead. */
static bool slow_matches(const char *pattern, const char *name, bool open_before, bool open_behind)
{
	if (open_before && *name && slow_matches(pattern, name + 1, true, open_behind))
		return true;
	if (!*pattern)
		return open_behind || !*name;
	if (*pattern == '*')
		return slow_matches(pattern + 1, name, true, open_behind);
	return *pattern == *name && slow_matches(pattern + 1, name + 1, false, open_behind);
}

static void random_text(uint64_t *seed, const char *letters, size_t nr_letters, char *text)
{
	size_t length = 1 + kunit_below(seed, 7);

	for (size_t i = 0; i < length; i++)
		text[i] = letters[kunit_below(seed, nr_letters)];
	text[length] = '\0';
}

TEST(patterns_like_their_definition)
{
	uint64_t seed = kunit_seed(), nr_matches = 0;

	for (uint64_t i = 0; i < kunit_ops(100000); i++) {
		bool begins = kunit_below(&seed, 2), ends = kunit_below(&seed, 2), expected;
		char core[8], name[8], pattern[16];

		random_text(&seed, "ab*", 3, core);
		random_text(&seed, "ab", 2, name);
		snprintf(pattern, sizeof(pattern), "%s%s%s", begins ? "^" : "", core,
			 ends ? "$" : "");
		expected = slow_matches(core, name, !begins, !ends);
		nr_matches += expected;
		if (!kunit_check(pattern_matches(pattern, name) == expected, __FILE__, __LINE__,
				 pattern))
			printf("of %s\n", name);
	}
	EXPECT(nr_matches > 0);
}

/* --- stack: ---------------------------------------------------------------------------------- */

TEST(stack_begins_with_the_innermost_frame)
{
	EXPECT(matches("stack:^a$", "a"));
	EXPECT(matches("stack:^a$", "a b c"));
	EXPECT(!matches("stack:^b$", "a b c"));
	EXPECT(matches("stack:^a$;^b$", "a b"));
	EXPECT(matches("stack:^a$;^b$", "a b c"));
	EXPECT(!matches("stack:^a$;^b$", "a"));
	EXPECT(!matches("stack:^a$;^b$", "b a"));
	EXPECT(!matches("stack:^a$;^c$", "a b c"));
	EXPECT(!matches("stack:^a$;^b$", "x a b"));
	EXPECT(!matches("stack:^a$;^b$", "a ? b"));
	EXPECT(matches("stack:a;b", "xay xby"));
}

TEST(lone_star_is_any_number_of_frames)
{
	EXPECT(matches("stack:*;^b$", "a b"));
	EXPECT(matches("stack:*;^b$", "b"));
	EXPECT(!matches("stack:*;^b$", "a"));
	EXPECT(matches("stack:^a$;*;^d$", "a d"));
	EXPECT(matches("stack:^a$;*;^d$", "a ? c d e"));
	EXPECT(!matches("stack:^a$;*;^d$", "b a d"));
	EXPECT(!matches("stack:^a$;*;^d$", "d a"));
	EXPECT(matches("stack:^a$;*", "a"));
	EXPECT(matches("stack:^a$;*", "a b"));
	EXPECT(!matches("stack:^a$;*", "b"));
	EXPECT(matches("stack:*", "a"));
	EXPECT(matches("stack:*", "?"));
	EXPECT(!matches("stack:*", ""));
	EXPECT(matches("stack:*;*;^a$;*;*;^b$;*;*", "a b"));
	EXPECT(!matches("stack:*;*;^a$;*;*;^b$;*;*", "b a"));
	/* A first guess that fails must not hide the right one. */
	EXPECT(matches("stack:*;^a$;^b$", "a a b"));
	EXPECT(matches("stack:*;^a$;^a$;^b$;*;^c$", "a b a a a b b c"));
	EXPECT(!matches("stack:*;^a$;^b$;^c$", "a b a b x c"));
	/* Not lone: a pattern. */
	EXPECT(matches("stack:^a$;^*;^c$", "a b c"));
	EXPECT(matches("stack:^a$;**;^c$", "a b c"));
	EXPECT(!matches("stack:^a$;^*;^c$", "a c"));
	EXPECT(!matches("stack:^a$;**;^c$", "a c"));
	EXPECT(!matches("stack:*b;^c$", "a c"));
	EXPECT(!matches("stack:^a$;^*;^c$", "a ? c"));
}

/* a;a;...;a of so many elements. */
static void stack_rule(char *text, unsigned int nr_elements)
{
	strcpy(text, "stack:^f$");
	while (--nr_elements)
		strcat(text, ";^f$");
}

TEST(stack_has_a_limit)
{
	char text[SUPPRESS_MAX_ELEMENTS * 4 + 64], frames[SUPPRESS_MAX_ELEMENTS * 2 + 1] = "";

	stack_rule(text, SUPPRESS_MAX_ELEMENTS);
	for (unsigned int i = 1; i < SUPPRESS_MAX_ELEMENTS; i++)
		strcat(frames, "f ");
	EXPECT(!matches(text, frames));
	EXPECT(matches(text, strcat(frames, "f ")));
	stack_rule(text, SUPPRESS_MAX_ELEMENTS + 1);
	suppress_reset();
	os_fake_reset();
	os_fake_capture_begin();
	EXPECT_EQ(add(text), 1);
	EXPECT(strstr(os_fake_capture_end(), "too many patterns"));
}

TEST(states_of_rules_are_their_own)
{
	struct suppress_rule *first, *second;

	only("stack:^a$;^b$;^c$\nstack:^a$;^b$");
	second = find("a b x", 1);
	first = find("a b", 1);
	EXPECT(first && first == second);
	/* The second matches at a frame before the first does. */
	EXPECT(find("a b c", 1) && find("a b c", 1) != second);
	EXPECT(!find("b", 1));
}

/* --- which rule, and how much of it ---------------------------------------------------------- */

TEST(first_rule_that_was_added_counts)
{
	struct suppress_rule *outer, *inner;

	only("leak:^outer$\nleak:^inner$");
	outer = find("x outer", 1);
	inner = find("inner x", 1);
	ASSERT(outer && inner && outer != inner);
	EXPECT_EQ(find("inner outer", 1), outer);
	EXPECT_EQ(find("outer inner", 1), outer);
	only("leak:foo\nleak:foobar\nleak:bar");
	EXPECT_EQ(find("foobar", 1), find("foo", 1));
}

TEST(max_lets_so_many_blocks_pass)
{
	struct suppress_rule *rule;

	only("max:5 leak:^f$");
	rule = find("f", 5);
	ASSERT(rule);
	EXPECT(!find("f", 6));
	suppress_count(rule, 100, 3);
	EXPECT_EQ(find("f", 2), rule);
	EXPECT(!find("f", 3));
	EXPECT(!find("f", SIZE_MAX));
	suppress_count(rule, 100, 2);
	EXPECT(!find("f", 1));
	EXPECT(!find("g", 1));
	suppress_count(rule, 100, 2); /* more than it had room for */
	EXPECT(!find("f", 1));
	EXPECT(matches("max:1 stack:^a$;^b$", "a b"));
	EXPECT(!find("a b", 2));
	EXPECT(find("a b", 1));
}

TEST(without_max_there_is_no_limit)
{
	struct suppress_rule *rule;

	only("leak:f");
	rule = find("f", SIZE_MAX / 2);
	ASSERT(rule);
	suppress_count(rule, 1, SIZE_MAX / 2);
	EXPECT_EQ(find("f", SIZE_MAX / 2), rule);
}

TEST(full_rule_leaves_the_leak_to_the_next)
{
	struct suppress_rule *rule;

	only("max:2 leak:^f$\nleak:^g$");
	rule = find("f g", 2);
	EXPECT_EQ(find("g f", 2), rule);
	EXPECT_EQ(find("f", 2), rule);
	EXPECT(find("f g", 3) && find("f g", 3) != rule);
	EXPECT(!find("f", 3));
}

/* --- report ---------------------------------------------------------------------------------- */

static void use(const char *stack, size_t bytes, size_t nr_blocks)
{
	struct suppress_rule *rule = find(stack, nr_blocks);

	ASSERT(rule);
	suppress_count(rule, bytes, nr_blocks);
}

#define RULER "-----------------------------------------------------\n"

TEST(table_is_like_that_of_leaksanitizer)
{
	only("leak:^small$\n leak: ^large$ \nleak:never\n\nstack:^a$;*;^b$\nmax:9  leak:^m$\r\n");
	EXPECT_STREQ(print_report(false), "");
	use("small", 10, 1);
	use("large", 300, 2);
	use("large", 366, 1);
	use("a x b", 50, 7);
	use("m", 10, 9);
	EXPECT_STREQ(print_report(false),
		     RULER "Suppressions used:\n"
			   "  count      bytes template\n"
			   "      3        666 ^large$\n"
			   "      7         50 stack:^a$;*;^b$\n"
			   "      1         10 ^small$\n"
			   "      9         10 max:9  leak:^m$\n" RULER "\n");
}

TEST(unused_rules_are_listed_when_asked)
{
	only("leak:a\n#\n max:3 leak:never \r\nstack:x;y");
	EXPECT_EQ(suppress_add("leak:also", 9, "other"), 0);
	suppress_add_builtin();
	EXPECT_STREQ(print_report(true), "Suppressions never used:\n"
					 "  test.supp:1: leak:a\n"
					 "  test.supp:3: max:3 leak:never\n"
					 "  test.supp:4: stack:x;y\n"
					 "  other:1: leak:also\n\n");
}

TEST(used_and_unused)
{
	only("leak:^used$\nleak:never");
	use("used", 0, 1);
	EXPECT_STREQ(print_report(true), RULER "Suppressions used:\n"
					       "  count      bytes template\n"
					       "      1          0 ^used$\n" RULER "\n"
					       "Suppressions never used:\n"
					       "  test.supp:2: leak:never\n\n");
}

/* Lines longer than a report's buffer are not cut. */
TEST(long_templates_are_printed_whole)
{
	static char text[3001 + 5] = "leak:";
	const char *pattern = text + 5;

	memset(text + 5, 'y', 3000);
	only(text);
	EXPECT(strstr(print_report(true), text));
	use(pattern, 5, 1);
	EXPECT(strstr(print_report(true), pattern));
}

/* --- built-in rules -------------------------------------------------------------------------- */

TEST(builtin_rules_are_good)
{
	suppress_reset();
	os_fake_reset();
	os_fake_capture_begin();
	suppress_add_builtin();
	EXPECT_STREQ(os_fake_capture_end(), "");
	EXPECT_STREQ(print_report(true), "");
}

struct stack {
	bool suppressed;
	struct suppress_frame frames[6];
};

#define LD "/lib64/ld-linux-x86-64.so.2"
#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"
#define FC "/usr/lib/x86_64-linux-gnu/libfontconfig.so.1"
#define DRI "/usr/lib/x86_64-linux-gnu/dri/swrast_dri.so"
#define EXPAT "/lib/x86_64-linux-gnu/libexpat.so.1"
#define OURS "/usr/lib/libstitchmalloc.so"
#define ENTRY(name) { name, NULL, OURS }
#define IN(module) { NULL, NULL, module }
#define MAIN { "main", "main.c", "/usr/bin/program" }

/* As Valgrind printed them on Debian 12, without symbols of libc and fontconfig; and neighbours. */
static const struct stack stacks[] = {
	{ true, { ENTRY("calloc"), { "calloc", "rtld-malloc.h", LD },
		  { "_dl_allocate_tls", NULL, LD }, { "pthread_create", NULL, LIBC }, MAIN } },
	{ true, { ENTRY("malloc"), IN(LD), IN(LD), { "dlopen", NULL, LIBC }, MAIN } },
	/* A constructor of a library that is being loaded. */
	{ false, { ENTRY("malloc"), { "init", NULL, "/usr/lib/libx.so" }, IN(LD), IN(LD), MAIN } },
	{ true, { ENTRY("malloc"), { "tsearch", NULL, LIBC }, IN(LIBC), MAIN } },
	{ true, { ENTRY("malloc"), { "__tsearch", "tsearch.c", LIBC },
		  { "__dcigettext", NULL, LIBC }, MAIN } },
	{ false, { ENTRY("malloc"), { "tsearch", NULL, LIBC }, MAIN, IN(LIBC) } },
	{ false, { ENTRY("malloc"), { "strdup", NULL, LIBC }, MAIN, IN(LIBC) } },
	{ true, { ENTRY("realloc"), IN(FC), IN(FC), { "FcFontRenderPrepare", NULL, FC }, MAIN } },
	{ true, { ENTRY("malloc"), IN(FC), IN(FC), { "FcFontRenderPrepare", NULL, FC }, MAIN } },
	{ true, { ENTRY("calloc"), IN(FC), { "FcCharSetAddChar", NULL, FC }, MAIN } },
	{ true, { ENTRY("malloc"), IN(FC), IN(FC), { "FcPatternAddString", NULL, FC }, MAIN } },
	{ true, { ENTRY("malloc"), IN(FC), IN(FC), IN(FC), IN(EXPAT), MAIN } },
	{ false, { ENTRY("malloc"), { "FcPatternCreate", NULL, FC },
		   { "FcPatternDuplicate", NULL, FC }, MAIN } },
	{ false, { ENTRY("malloc"), { "FcPatternCreate", NULL, FC }, MAIN } },
	{ false, { ENTRY("malloc"), { "XML_ParserCreate", NULL, EXPAT }, MAIN } },
	{ true, { ENTRY("calloc"), { "g_malloc0", NULL, "/lib/libglib-2.0.so.0" },
		  { "pango_language_from_string", NULL, "/lib/libpango-1.0.so.0" }, MAIN } },
	{ true, { ENTRY("operator new(unsigned long)"), IN(DRI), IN(DRI), MAIN } },
	{ false, { ENTRY("malloc"), MAIN, IN(DRI) } },
	{ false, { ENTRY("malloc"), MAIN } },
	{ false, { ENTRY("operator new(unsigned long)"), { "f()", NULL, NULL }, MAIN } },
};

TEST(builtin_rules_match_what_they_are_for)
{
	suppress_reset();
	suppress_add_builtin();
	for (size_t i = 0; i < COUNT(stacks); i++) {
		const struct suppress_frame *frame = stacks[i].frames;

		suppress_match_begin(&match, 1);
		for (; frame->function || frame->module; frame++)
			suppress_match_frame(&match, frame);
		if (!kunit_check(!suppress_match_end(&match) == !stacks[i].suppressed, __FILE__,
				 __LINE__, "suppressed or not"))
			printf("stack %zu\n", i);
	}
}

TEST(builtin_rules_are_in_the_table_when_used)
{
	only("leak:^f$");
	suppress_add_builtin();
	use("f", 7, 1);
	use("pango_language_from_string", 32, 1);
	EXPECT_STREQ(print_report(true), RULER "Suppressions used:\n"
					       "  count      bytes template\n"
					       "      1         32 ^pango_language_from_string$\n"
					       "      1          7 ^f$\n" RULER "\n");
}

/* --- ready rules ----------------------------------------------------------------------------- */

TEST(ready_rule_names_who_asked_for_memory)
{
	static const char *const allocators[] = {
		"malloc", "calloc", "realloc", "__libc_malloc", "posix_memalign", "aligned_alloc",
		"reallocarray", "strdup", "__GI___strdup", "strndup", "wcsdup", "vasprintf",
		"asprintf",
		"operator new(unsigned long)", "operator new[](unsigned long)", "_Znwm", "_Znam",
		"g_malloc", "g_malloc0", "g_malloc_n", "g_strdup", "xmalloc", "getline",
		"std::vector<int, std::allocator<int> >::_M_realloc_insert(int&&)",
		"void std::vector<int>::_M_insert<int>(int&&)", "_ZNSt6vectorIiSaIiEE7reserveEm",
	};
	static const char *const others[] = {
		"main", "parse(char const*)", "std_parse", "my_allocate", "alloc_table",
		"frob::operator new_thing", "strdup_all", "Foo<std::vector<int> >::add()",
	};

	for (size_t i = 0; i < COUNT(allocators); i++)
		EXPECT_STREQ(print_rule(allocators[i], OURS), "-");
	for (size_t i = 0; i < COUNT(others); i++) {
		char expected[128];

		snprintf(expected, sizeof(expected), "leak:^%s$\n", others[i]);
		EXPECT_STREQ(print_rule(others[i], OURS), expected);
	}
}

TEST(ready_rule_for_a_library_without_symbols)
{
	EXPECT_STREQ(print_rule(NULL, "/usr/lib/libfoo.so.1.2"), "leak:/libfoo.so.1.2$\n");
	EXPECT_STREQ(print_rule("", "libfoo.so"), "leak:libfoo.so$\n");
	EXPECT_STREQ(print_rule(NULL, "/opt/x.so.d/program"), "-");
	EXPECT_STREQ(print_rule(NULL, ""), "-");
	EXPECT_STREQ(print_rule(NULL, NULL), "-");
}

TEST(ready_rule_matches_its_stack)
{
	static char name[3001];

	memset(name, 'n', 3000);
	only(print_rule(name, NULL));
	EXPECT(find_frame(name, NULL, NULL));
	EXPECT(!find_frame(name + 1, NULL, NULL));
	only(print_rule(NULL, "/usr/lib/libfoo.so.1"));
	EXPECT(find_frame(NULL, NULL, "/lib/libfoo.so.1"));
}

RUN_TESTS
