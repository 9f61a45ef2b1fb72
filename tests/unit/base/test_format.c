/*
 * test_format.c - format_text against snprintf where the two agree, and by word where not.
 */
#include "base/format.h"
#include "kunit.h"

/* The same text and length as snprintf's; with less room, as much of it as fits. */
#define SAME(...) \
	do { \
		char ours[128], theirs[128]; \
		size_t length = (size_t)snprintf(theirs, sizeof(theirs), __VA_ARGS__); \
		EXPECT_EQ(format_text(ours, sizeof(ours), __VA_ARGS__), length); \
		EXPECT_STREQ(ours, theirs); \
		for (size_t room = 1; room <= length; room++) { \
			memset(ours, '#', sizeof(ours)); \
			EXPECT_EQ(format_text(ours, room, __VA_ARGS__), length); \
			EXPECT(!memcmp(ours, theirs, room - 1)); \
			EXPECT_EQ(ours[room - 1], '\0'); \
			EXPECT_EQ(ours[room], '#'); \
		} \
	} while (0)

static void same_numbers(uint64_t value)
{
	int number = (int)value;
	unsigned int natural = (unsigned int)value;

	SAME("%d|%i|%u|%x|%X", number, number, natural, natural, natural);
	SAME("%ld|%lu|%lx|%lX", (long)value, value, value, value);
	SAME("%lld|%llu|%llx", (long long)value, (unsigned long long)value,
	     (unsigned long long)value);
	SAME("%zd|%zu|%zx", (ssize_t)value, (size_t)value, (size_t)value);
	SAME("%hd|%hu|%hx", (short)value, (unsigned short)value, (unsigned short)value);
	SAME("%hhd|%hhu|%hhx", (signed char)value, (unsigned char)value, (unsigned char)value);
	SAME("<%3d|%12d|%-12d|%012d>", number, number, number, number);
	SAME("<%3x|%18lx|%-18lx|%018lx>", natural, value, value, value);
	SAME("<%.0d|%.3d|%.12d|%16.12d|%-16.12d>", number, number, number, number, number);
	SAME("<%*d|%*d|%.*d>", 14, number, -14, number, 9, number);
	if (value)
		SAME("<%p|%20p|%-20p>", (void *)value, (void *)value, (void *)value);
}

TEST(numbers_are_those_of_snprintf)
{
	static const uint64_t edges[] = {
		0, 1, 9, 10, 42, 127, 128, 255, 256, 32767, 32768, 65535, 65536, INT32_MAX,
		(uint64_t)INT32_MAX + 1, UINT32_MAX, (uint64_t)UINT32_MAX + 1, INT64_MAX,
		(uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX,
	};
	uint64_t random = kunit_seed();

	for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
		same_numbers(edges[i]);
		same_numbers(-edges[i]);
	}
	for (unsigned int i = 0; i < 1000; i++)
		same_numbers(kunit_random(&random) >> kunit_below(&random, 64));
}

TEST(text_is_that_of_snprintf)
{
	SAME("%s", "plain");
	SAME("%s%s", "", "x");
	SAME("<%8s|%-8s|%2s>", "four", "four", "four");
	SAME("<%.2s|%.8s|%.0s|%8.2s|%-8.2s>", "four", "four", "four", "four", "four");
	SAME("<%.*s|%*s|%.*s>", 3, "four", 6, "four", -1, "four");
	SAME("%c<%3c|%-3c>", 'a', 'b', 'c');
	SAME("100%% of %d%%", 5);
	SAME("no conversion");
	SAME("%.3s", (const char[]){ 'a', 'b', 'c' });
}

TEST(what_differs_from_glibc)
{
	char text[64];

	format_text(text, sizeof(text), "%p", NULL);
	EXPECT_STREQ(text, "0x0");
	format_text(text, sizeof(text), "<%8p>", (void *)0xab);
	EXPECT_STREQ(text, "<    0xab>");
}

/* Behind a variable, so that the compiler does not judge the format. */
static size_t format_unchecked(char *text, size_t bytes, const char *format, ...)
{
	va_list args;
	size_t length;

	va_start(args, format);
	length = format_text_v(text, bytes, format, args);
	va_end(args);
	return length;
}

TEST(short_lengths_cut_what_is_wider)
{
	char text[64];

	format_unchecked(text, sizeof(text), "%hhd %hhu %hhx %hd %hu %hX", 511, 511, 511, 0x1ffff,
			 0x1fffe, 0x1fffd);
	EXPECT_STREQ(text, "-1 255 ff -1 65534 FFFD");
}

TEST(zeros_give_way_to_left_and_to_precision)
{
	char text[64];

	EXPECT_EQ(format_unchecked(text, sizeof(text), "<%-06d|%06.3d|%-06.3d>", 7, 8, 9), 22);
	EXPECT_STREQ(text, "<7     |   008|009   >");
}

TEST(null_string_has_a_name)
{
	char text[64];

	EXPECT_EQ(format_unchecked(text, sizeof(text), "<%s|%8s>", NULL, NULL), 17);
	EXPECT_STREQ(text, "<(null)|  (null)>");
}

TEST(unknown_conversions_stay_as_they_are)
{
	char text[64];

	EXPECT_EQ(format_unchecked(text, sizeof(text), "a%qb"), 4);
	EXPECT_STREQ(text, "a%qb");
	EXPECT_EQ(format_unchecked(text, sizeof(text), "%-08.3f|%d", 7), 9);
	EXPECT_STREQ(text, "%-08.3f|7");
	EXPECT_EQ(format_unchecked(text, sizeof(text), "end%"), 4);
	EXPECT_STREQ(text, "end%");
	EXPECT_EQ(format_unchecked(text, sizeof(text), "end%5l"), 6);
	EXPECT_STREQ(text, "end%5l");
}

TEST(no_room_is_no_store)
{
	char text[4] = "abc";

	EXPECT_EQ(format_text(NULL, 0, "%d", 12345), 5);
	EXPECT_EQ(format_text(text, 0, "%d", 12345), 5);
	EXPECT_STREQ(text, "abc");
}

struct bytes_case {
	const char *text;
	bool valid;
	uint64_t value;
};

TEST(sizes)
{
	static const struct bytes_case cases[] = {
		{ "0", true, 0 },
		{ "1", true, 1 },
		{ "4096", true, 4096 },
		{ "64k", true, 65536 },
		{ "64K", true, 65536 },
		{ "64KB", true, 65536 },
		{ "64kb", true, 65536 },
		{ "64KiB", true, 65536 },
		{ "3M", true, (uint64_t)3 << 20 },
		{ "2g", true, (uint64_t)2 << 30 },
		{ "1TiB", true, (uint64_t)1 << 40 },
		{ "0x10", true, 16 },
		{ "0XfF", true, 255 },
		{ "0x1B", true, 27 },
		{ "0x1fG", true, (uint64_t)31 << 30 },
		{ "007", true, 7 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "99999999999999999999", false, 0 },
		{ "0xffffffffffffffff", true, UINT64_MAX },
		{ "0x10000000000000000", false, 0 },
		{ "16777215T", true, (uint64_t)16777215 << 40 },
		{ "16777216T", false, 0 },
		{ "", false, 0 },
		{ "K", false, 0 },
		{ "0x", false, 0 },
		{ "0xK", false, 0 },
		{ "9z", false, 0 },
		{ "1P", false, 0 },
		{ "1B", false, 0 },
		{ "1KK", false, 0 },
		{ "1Ki", false, 0 },
		{ "1KiBB", false, 0 },
		{ "1Kx", false, 0 },
		{ "-1", false, 0 },
		{ "+1", false, 0 },
		{ " 1", false, 0 },
		{ "1 ", false, 0 },
		{ "1.5G", false, 0 },
		{ "ff", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t value = 12345;
		bool valid = parse_bytes(cases[i].text, strlen(cases[i].text), &value);

		if (valid != cases[i].valid)
			fprintf(stderr, "case \"%s\"\n", cases[i].text);
		EXPECT_EQ(valid, cases[i].valid);
		EXPECT_EQ(value, cases[i].valid ? cases[i].value : 12345);
	}
}

TEST(sizes_end_where_the_caller_says)
{
	uint64_t value;

	EXPECT(parse_bytes("123456", 3, &value));
	EXPECT_EQ(value, 123);
	EXPECT(parse_bytes("5Kjunk", 2, &value));
	EXPECT_EQ(value, 5120);
}

RUN_TESTS
