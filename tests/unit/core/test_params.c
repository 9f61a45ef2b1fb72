/*
 * test_params.c - syntax, sources and messages of the options.
 */
#include "base/format.h"
#include "core/params.h"
#include "core/report.h"
#include "fake/os_fake.h"
#include "kunit.h"

/* The weak symbol that a program may define. */
extern const char *stitch_conf;
const char *stitch_conf;

#define CONFIG_FILE "/etc/stitchmalloc.conf"

static struct params defaults;

__attribute__((constructor)) static void save_defaults(void)
{
	defaults = params;
}

/* Read the sources (NULL: not there) from the defaults on; returns what went to stderr. */
static const char *init_from(const char *file, const char *symbol, const char *variable,
			     bool secure)
{
	char entry[8192];
	const char *environment[] = { "PATH=/bin", "STITCH_CONFIG=help=1", entry, NULL };
	struct os_start start;

	os_fake_reset();
	params = defaults;
	os_fake_file_set(CONFIG_FILE, file);
	stitch_conf = symbol;
	snprintf(entry, sizeof(entry), "%s%s", variable ? "STITCH_CONF=" : "OTHER=",
		 variable ? variable : "");
	os_fake_start_set(environment, secure);
	os_start_read(&start);
	os_fake_capture_begin();
	params_init(&start);
	return os_fake_capture_end();
}

static const char *init(const char *variable)
{
	return init_from(NULL, NULL, variable, false);
}

TEST(defaults_are_those_of_the_table)
{
#define PARAM_BOOL(name, initial, help) EXPECT_EQ(params.name, initial);
#define PARAM_SIZE(name, initial, low, high, help) \
	EXPECT_EQ(params.name, initial); \
	EXPECT(params.name + 1 > (low) && params.name <= (high));
#define PARAM_CHOICE(name, initial, words, help) EXPECT_EQ(params.name, initial);
#define PARAM_SET(name, initial, words, help) EXPECT_EQ(params.name, initial);
#define PARAM_TEXT(name, help) EXPECT_STREQ(params.name, "");
	EXPECT_STREQ(init(NULL), "");
#include "core/params.def"
#undef PARAM_BOOL
#undef PARAM_SIZE
#undef PARAM_CHOICE
#undef PARAM_SET
#undef PARAM_TEXT
}

TEST(texts_are_taken_as_they_are)
{
	char option[PARAM_TEXT_BYTES + 16];

	EXPECT_STREQ(init("log_path= /tmp/%p.log ,exe="), "");
	EXPECT_STREQ(params.log_path, "/tmp/%p.log");
	EXPECT_STREQ(params.exe, "");
	memset(option, 'x', sizeof(option));
	memcpy(option, "log_path=", 9);
	option[9 + PARAM_TEXT_BYTES - 1] = '\0';
	EXPECT_STREQ(init(option), "");
	EXPECT_EQ(strlen(params.log_path), PARAM_TEXT_BYTES - 1);
}

TEST(a_text_that_is_too_long_is_refused)
{
	char option[PARAM_TEXT_BYTES + 16];

	memset(option, 'x', sizeof(option));
	memcpy(option, "exe=", 4);
	option[4 + PARAM_TEXT_BYTES] = '\0';
	EXPECT(strstr(init(option), "is too long, at most 255 characters"));
	EXPECT_STREQ(params.exe, "");
}

TEST(no_environment_at_all)
{
	struct os_start start = { NULL, false };

	os_fake_reset();
	os_fake_capture_begin();
	params_init(&start);
	EXPECT_STREQ(os_fake_capture_end(), "");
}

TEST(each_kind_is_read)
{
	EXPECT_STREQ(init("stats=1,on_error=warn,reserve=3G,foreign=abort"), "");
	EXPECT_EQ(params.stats, true);
	EXPECT_EQ(params.on_error, ON_ERROR_WARN);
	EXPECT_EQ(params.foreign, FOREIGN_ABORT);
	EXPECT_EQ(params.reserve, GIB(3));
	EXPECT_EQ(params.hardened, defaults.hardened);
	EXPECT_EQ(params.retain, defaults.retain);
}

TEST(each_word_for_yes_and_no)
{
	static const char *const words[][2] = {
		{ "stats=0", "stats=1" },
		{ "stats=false", "stats=true" },
		{ "stats=no", "stats=yes" },
		{ "stats=off", "stats=on" },
	};
	char both[64];

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		EXPECT_STREQ(init(words[i][1]), "");
		EXPECT_EQ(params.stats, true);
		snprintf(both, sizeof(both), "stats=1,%s", words[i][0]);
		EXPECT_STREQ(init(both), "");
		EXPECT_EQ(params.stats, false);
	}
}

TEST(each_choice_has_its_number)
{
	init("on_error=abort");
	EXPECT_EQ(params.on_error, ON_ERROR_ABORT);
	init("on_error=ignore");
	EXPECT_EQ(params.on_error, ON_ERROR_IGNORE);
	init("foreign=forward");
	EXPECT_EQ(params.foreign, FOREIGN_FORWARD);
	init("foreign=warn");
	EXPECT_EQ(params.foreign, FOREIGN_WARN);
}

TEST(a_set_has_a_bit_for_each_word)
{
	EXPECT_STREQ(init("leak_format=json"), "");
	EXPECT_EQ(params.leak_format, 1u << LEAK_JSON);
	EXPECT_STREQ(init("leak_format=pprof+text+pprof"), "");
	EXPECT_EQ(params.leak_format, 1u << LEAK_TEXT | 1u << LEAK_PPROF);
	EXPECT(strstr(init("help=1,leak_format=text+json+collapsed+heap_v2+pprof"),
		      "\nleak_format=text+json+collapsed+heap_v2+pprof  (default text; "
		      "text|json|collapsed|heap_v2|pprof, or several: one+another)\n"));
}

TEST(a_set_has_words_only)
{
	static const char *const wrong[] = { "", "+", "json+", "+json", "json++text", "json+xml",
					     "json|text", "jso", "jsonx" };
	char option[64];

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(option, sizeof(option), "leak_format=%s", wrong[i]);
		EXPECT(strstr(init(option), "is not one of text|json|collapsed|heap_v2|pprof, nor "
					    "several with + between them\n"));
		EXPECT_EQ(params.leak_format, 1u << LEAK_TEXT);
	}
}

TEST(later_items_win_and_blanks_are_free)
{
	EXPECT_STREQ(init(" , stats = 1 ,,\treserve\t=  1M , reserve=2M,"), "");
	EXPECT_EQ(params.stats, true);
	EXPECT_EQ(params.reserve, MIB(2));
}

TEST(bounds_of_a_size_are_inside)
{
	EXPECT_STREQ(init("sheaf_budget=1K"), "");
	EXPECT_EQ(params.sheaf_budget, KIB(1));
	EXPECT_STREQ(init("sheaf_budget=16M"), "");
	EXPECT_EQ(params.sheaf_budget, MIB(16));
	EXPECT_STREQ(init("sheaf_budget=1023"),
		     "stitchmalloc: STITCH_CONF: sheaf_budget=\"1023\" is not a size from "
		     "1K to 16M\n");
	EXPECT_EQ(params.sheaf_budget, defaults.sheaf_budget);
	EXPECT_STREQ(init("sheaf_budget=0x1000001"),
		     "stitchmalloc: STITCH_CONF: sheaf_budget=\"0x1000001\" is not a size from "
		     "1K to 16M\n");
	EXPECT_EQ(params.sheaf_budget, defaults.sheaf_budget);
}

TEST(bad_values_name_the_range)
{
	EXPECT_STREQ(init("on_error=x"), "stitchmalloc: STITCH_CONF: on_error=\"x\" is not one of "
					 "abort|warn|ignore\n");
	EXPECT_STREQ(init("reserve=9z"),
		     "stitchmalloc: STITCH_CONF: reserve=\"9z\" is not a size from 0 to 1T\n");
	EXPECT_STREQ(init("stats=maybe"), "stitchmalloc: STITCH_CONF: stats=\"maybe\" is not one "
					  "of 0|1|false|true|no|yes|off|on\n");
	EXPECT_STREQ(init("on_error=abort|warn"),
		     "stitchmalloc: STITCH_CONF: on_error=\"abort|warn\" is not one of "
		     "abort|warn|ignore\n");
	EXPECT_STREQ(init("stats"), "stitchmalloc: STITCH_CONF: stats=\"\" is not one of "
				    "0|1|false|true|no|yes|off|on\n");
	EXPECT_STREQ(init("on_error=abor"), "stitchmalloc: STITCH_CONF: on_error=\"abor\" is not "
					    "one of abort|warn|ignore\n");
	EXPECT(!memcmp(&params, &defaults, sizeof(params)));
}

static void expect_nearest(const char *key, const char *nearest)
{
	char item[64], expected[200];

	snprintf(item, sizeof(item), "%s=1", key);
	snprintf(expected, sizeof(expected),
		 "stitchmalloc: STITCH_CONF: unknown option \"%s\", did you mean \"%s\"? "
		 "(help=1 lists all)\n", key, nearest);
	EXPECT_STREQ(init(item), expected);
	EXPECT(!memcmp(&params, &defaults, sizeof(params)));
}

TEST(unknown_options_name_the_nearest)
{
	expect_nearest("onerror", "on_error");
	expect_nearest("on-error", "on_error");
	expect_nearest("Stats", "stats");
	expect_nearest("stat", "stats");
	expect_nearest("statss", "stats");
	expect_nearest("hardend", "hardened");
	expect_nearest("retian", "retain");
	expect_nearest("foriegn", "foreign");
	expect_nearest("the_sheaf_budget", "sheaf_budget");
	expect_nearest("sheaf_bud_help", "sheaf_budget");
}

TEST(one_bad_item_does_not_spoil_the_others)
{
	EXPECT_STREQ(init("stats=1,bogus_reserve=1,reserve=x,retain=5M"),
		     "stitchmalloc: STITCH_CONF: unknown option \"bogus_reserve\", did you mean "
		     "\"reserve\"? (help=1 lists all)\n"
		     "stitchmalloc: STITCH_CONF: reserve=\"x\" is not a size from 0 to 1T\n");
	EXPECT_EQ(params.stats, true);
	EXPECT_EQ(params.retain, MIB(5));
}

TEST(monstrous_text_is_one_line_each)
{
	char text[6000];
	const char *output;

	memset(text, 'k', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	memcpy(text + 3000, ",stats=", 7);
	output = init(text);
	EXPECT_EQ(os_fake_calls(OS_CALL_WRITE), 2);
	EXPECT(strlen(output) < 2 * 512);
	EXPECT_EQ(output[strlen(output) - 1], '\n');
	EXPECT(strstr(output, "is not one of 0|1|false|true|no|yes|off|on\n"));
	EXPECT_STREQ(init("h\nlp=1"), "stitchmalloc: STITCH_CONF: unknown option \"h?lp\", did you "
				     "mean \"help\"? (help=1 lists all)\n");
}

TEST(later_sources_win)
{
	EXPECT_STREQ(init_from("reserve=1M,retain=1M,sheaf_budget=1M", "retain=2M,sheaf_budget=2M",
			       "sheaf_budget=3M", false), "");
	EXPECT_EQ(params.reserve, MIB(1));
	EXPECT_EQ(params.retain, MIB(2));
	EXPECT_EQ(params.sheaf_budget, MIB(3));
	EXPECT_STREQ(init_from("retainn=1", "reserves=1", NULL, false),
		     "stitchmalloc: /etc/stitchmalloc.conf: unknown option \"retainn\", did you "
		     "mean \"retain\"? (help=1 lists all)\n"
		     "stitchmalloc: stitch_conf: unknown option \"reserves\", did you mean "
		     "\"reserve\"? (help=1 lists all)\n");
}

TEST(secure_process_reads_nothing)
{
	EXPECT_STREQ(init_from("stats=1,junk", "hardened=1,junk", "help=1,junk", true), "");
	EXPECT(!memcmp(&params, &defaults, sizeof(params)));
	EXPECT_EQ(os_fake_calls(OS_CALL_READ_FILE), 0);
}

TEST(file_has_lines_and_comments)
{
	EXPECT_STREQ(init_from("# our options, all of them\r\n\r\n  stats = 1 # yes, stats=0\n"
			       "hardened=on, retain=7M\r\n#reserve=1M", NULL, NULL, false), "");
	EXPECT_EQ(params.stats, true);
	EXPECT_EQ(params.hardened, true);
	EXPECT_EQ(params.retain, MIB(7));
	EXPECT_EQ(params.reserve, defaults.reserve);
	/* Elsewhere a # is no comment. */
	EXPECT_STREQ(init("retain=1M # x"), "stitchmalloc: STITCH_CONF: retain=\"1M # x\" is not "
					    "a size from 0 to 1T\n");
}

TEST(file_that_is_too_long_is_ignored_whole)
{
	char text[5000];

	memset(text, '\n', sizeof(text));
	memcpy(text, "stats=1\n", 8);
	text[4095] = '\0';
	EXPECT_STREQ(init_from(text, NULL, NULL, false), "");
	EXPECT_EQ(params.stats, true);
	text[4095] = '\n';
	text[4096] = '\0';
	EXPECT_STREQ(init_from(text, NULL, NULL, false),
		     "stitchmalloc: /etc/stitchmalloc.conf: ignored, longer than 4095 bytes\n");
	EXPECT_EQ(params.stats, false);
}

TEST(help_prints_every_option)
{
	static const char *const names[] = {
#define PARAM_BOOL(name, initial, help) #name, help,
#define PARAM_SIZE(name, initial, low, high, help) #name, help,
#define PARAM_CHOICE(name, initial, words, help) #name, help,
#define PARAM_SET(name, initial, words, help) #name, help,
#define PARAM_TEXT(name, help) #name, help,
#include "core/params.def"
	};
	const char *output = init("help=1,sheaf_budget=2000000,on_error=warn,reserve=512G");
	char line[64];

	for (size_t i = 0; i < ARRAY_SIZE(names); i += 2) {
		snprintf(line, sizeof(line), "\n%s=", names[i]);
		EXPECT(strstr(output, line));
		EXPECT(strstr(output, names[i + 1]));
	}
	EXPECT(strstr(output, "\nhelp=1  (default 0; 0|1|false|true|no|yes|off|on)\n"));
	EXPECT(strstr(output, "\non_error=warn  (default abort; abort|warn|ignore)\n"));
	EXPECT(strstr(output, "\nreserve=512G  (default 0; a size from 0 to 1T)\n"));
	EXPECT(strstr(output, "\nsheaf_budget=2000000  (default 24K; a size from 1K to 16M)\n"));
}

RUN_TESTS
