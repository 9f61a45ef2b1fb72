/*
 * test_report.c - what is printed arrives whole, in order, in pieces that fit, until a sink fails.
 */
#include <errno.h>

#include "core/report.h"
#include "fake/os_fake.h"
#include "kunit.h"

/* A sink that keeps everything, and fails at its nth call. */
struct collector {
	char text[16 * 1024];
	size_t length;
	unsigned int nr_calls, fail_at;
	size_t longest;
};

static int collect(void *context, const char *text, size_t bytes)
{
	struct collector *collector = context;

	if (++collector->nr_calls == collector->fail_at)
		return -ENOSPC;
	ASSERT(bytes > 0 && collector->length + bytes < sizeof(collector->text));
	memcpy(collector->text + collector->length, text, bytes);
	collector->length += bytes;
	if (bytes > collector->longest)
		collector->longest = bytes;
	return 0;
}

TEST(small_report_is_one_piece)
{
	struct collector out = { .length = 0 };
	struct report report;

	report_init(&report, collect, &out);
	report_printf(&report, "a=%d ", 1);
	report_printf(&report, "b=%s\n", "two");
	EXPECT_EQ(out.nr_calls, 0);
	EXPECT_EQ(report_finish(&report), 0);
	EXPECT_EQ(out.nr_calls, 1);
	EXPECT_STREQ(out.text, "a=1 b=two\n");
}

/* Between printed text, at every place in the buffer. */
TEST(long_text_is_not_cut)
{
	static char text[3000];

	memset(text, 't', sizeof(text));
	for (int before = 0; before < 1100; before++) {
		struct collector out = { .length = 0 };
		struct report report;

		report_init(&report, collect, &out);
		report_text(&report, text, (size_t)before);
		report_printf(&report, "%s", "<");
		report_text(&report, text, sizeof(text));
		report_printf(&report, ">%d", 7);
		EXPECT_EQ(report_finish(&report), 0);
		EXPECT_EQ(out.length, (size_t)before + sizeof(text) + 3);
		EXPECT_EQ(out.text[before], '<');
		EXPECT_STREQ(out.text + before + 1 + sizeof(text), ">7");
	}
}

TEST(empty_report_calls_no_sink)
{
	struct collector out = { .length = 0 };
	struct report report;

	report_init(&report, collect, &out);
	EXPECT_EQ(report_finish(&report), 0);
	EXPECT_EQ(out.nr_calls, 0);
}

/* Lines of every length, so that each way to meet the end of the buffer is tried. */
TEST(long_report_arrives_whole)
{
	for (int step = 1; step < 200; step++) {
		struct collector out = { .length = 0 };
		struct report report;
		size_t expected = 0;

		report_init(&report, collect, &out);
		for (int i = 0; i < 60; i++) {
			report_printf(&report, "%0*d", step, i);
			expected += (size_t)(step > 1 || i < 10 ? step : 2);
		}
		EXPECT_EQ(report_finish(&report), 0);
		ASSERT_EQ(out.length, expected);
		EXPECT(out.longest < sizeof(report.buffer));
		for (size_t at = 0, i = 0; i < 60; i++) {
			char line[256];
			size_t length = (size_t)snprintf(line, sizeof(line), "%0*zu", step, i);

			ASSERT(!memcmp(out.text + at, line, length));
			at += length;
		}
	}
}

TEST(text_longer_than_the_buffer_is_cut)
{
	struct collector out = { .length = 0 };
	struct report report;

	report_init(&report, collect, &out);
	report_printf(&report, "before ");
	report_printf(&report, "%3000s", "end");
	report_printf(&report, "after");
	EXPECT_EQ(report_finish(&report), 0);
	EXPECT_EQ(out.length, 7 + sizeof(report.buffer) - 1 + 5);
	EXPECT(!memcmp(out.text, "before  ", 8));
	EXPECT(!memcmp(out.text + out.length - 6, " after", 6));
}

TEST(first_error_stays_and_ends_the_report)
{
	struct collector out = { .fail_at = 2 };
	struct report report;

	report_init(&report, collect, &out);
	for (int i = 0; i < 100; i++)
		report_printf(&report, "%100d\n", i);
	EXPECT_EQ(report_finish(&report), -ENOSPC);
	EXPECT_EQ(report_finish(&report), -ENOSPC);
	EXPECT_EQ(out.nr_calls, 2);
}

TEST(report_to_a_descriptor)
{
	struct report report;
	int fd = 2;

	os_fake_reset();
	os_fake_capture_begin();
	report_init(&report, report_to_fd, &fd);
	report_printf(&report, "x%c", '\n');
	EXPECT_EQ(report_finish(&report), 0);
	EXPECT_STREQ(os_fake_capture_end(), "x\n");

	fd = -1;
	report_init(&report, report_to_fd, &fd);
	report_printf(&report, "x\n");
	EXPECT_EQ(report_finish(&report), -EBADF);
}

RUN_TESTS
