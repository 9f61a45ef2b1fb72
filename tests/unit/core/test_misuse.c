/*
 * test_misuse.c - one fixed line, then what the option says.
 */
#include "core/misuse.h"
#include "core/params.h"
#include "fake/os_fake.h"
#include "kunit.h"

static void report(enum misuse_action action)
{
	params.on_error = action;
	misuse_report("free()", "double free of", (void *)0x7f0012345678, "kmalloc-64");
}

static const char *line_of(enum misuse_action action)
{
	os_fake_reset();
	os_fake_capture_begin();
	report(action);
	return os_fake_capture_end();
}

#define LINE "stitchmalloc: free(): double free of 0x7f0012345678 (kmalloc-64)\n"

TEST(abort_says_what_and_ends_the_process)
{
	os_fake_reset();
	EXPECT_DEATH(report(ON_ERROR_ABORT), LINE);
}

TEST(warn_says_what_and_returns)
{
	EXPECT_STREQ(line_of(ON_ERROR_WARN), LINE);
}

TEST(ignore_returns)
{
	EXPECT_STREQ(line_of(ON_ERROR_IGNORE), "");
}

RUN_TESTS
