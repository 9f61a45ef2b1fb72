/*
 * test_printk.c - the form of a message, and that an end of the process is one.
 */
#include <errno.h>

#include "core/printk.h"
#include "fake/os_fake.h"
#include "kunit.h"

static unsigned int line_of_bug;

static void broken_invariant(int x)
{
	line_of_bug = __LINE__ + 1;
	BUG_ON(x == 3);
}

static void broken_debug_invariant(int x)
{
	VM_BUG_ON(x == 3);
}

TEST(line_has_prefix_and_newline_and_leaves_in_one_write)
{
	os_fake_reset();
	os_fake_capture_begin();
	pr_err("%s is %d", "six", 6);
	EXPECT_EQ(os_fake_calls(OS_CALL_WRITE), 1);
	EXPECT_EQ(os_fake_calls(OS_CALL_ANY), 1);
	EXPECT_STREQ(os_fake_capture_end(), "stitchmalloc: six is 6\n");
}

TEST(line_is_cut_at_512_bytes)
{
	char text[1000], expected[513];

	memset(text, 'x', sizeof(text));
	for (size_t length = 490; length < 510; length++) {
		size_t whole = strlen("stitchmalloc: ") + length;

		os_fake_reset();
		os_fake_capture_begin();
		pr_err("%.*s", (int)length, text);
		if (whole > 511)
			whole = 511;
		snprintf(expected, sizeof(expected), "stitchmalloc: %.*s",
			 (int)(whole - strlen("stitchmalloc: ")), text);
		expected[whole] = '\n';
		expected[whole + 1] = '\0';
		EXPECT_STREQ(os_fake_capture_end(), expected);
	}
}

TEST(text_cannot_start_a_second_line)
{
	os_fake_reset();
	os_fake_capture_begin();
	pr_err("a%sb", "\n\t\x1b[0m\x7f");
	EXPECT_STREQ(os_fake_capture_end(), "stitchmalloc: a???[0m?b\n");
	os_fake_capture_begin();
	pr_err("caf\xc3\xa9");
	EXPECT_STREQ(os_fake_capture_end(), "stitchmalloc: caf\xc3\xa9\n");
}

TEST(a_closed_stderr_is_no_harm)
{
	os_fake_reset();
	os_fake_fail(OS_CALL_WRITE, 1, 1, EBADF);
	errno = 77;
	pr_err("lost");
	EXPECT_EQ(errno, 77);
	EXPECT_EQ(os_fake_calls(OS_CALL_WRITE), 1);
}

TEST(panic_and_bug_end_the_process)
{
	char expected[100];

	os_fake_reset();
	EXPECT_DEATH(panic("page %d is lost", 7), "stitchmalloc: page 7 is lost\n");
	broken_invariant(2);
	snprintf(expected, sizeof(expected), "stitchmalloc: BUG at test_printk.c:%u: x == 3\n",
		 line_of_bug);
	EXPECT_DEATH(broken_invariant(3), expected);
}

TEST(debug_checks_count_in_debug_builds_only)
{
	os_fake_reset();
	broken_debug_invariant(2);
	if (CONFIG_DEBUG)
		EXPECT_DEATH(broken_debug_invariant(3), "stitchmalloc: BUG at test_printk.c:");
	else
		broken_debug_invariant(3);
}

RUN_TESTS
