/* test_alloc_failure.c - flags as the kernel names them, and ten reports in five seconds. */
#include <string.h>

#include "debug/alloc_failure.h"
#include "kunit.h"

static bool reads(stitch_gfp_t flags, const char *expected)
{
	char text[256];

	alloc_failure_flags(text, sizeof(text), flags);
	return !strcmp(text, expected);
}

TEST(flags_are_named)
{
	EXPECT(reads(0, "none"));
	EXPECT(reads(STITCH_GFP_KERNEL, "GFP_KERNEL"));
	EXPECT(reads(STITCH_GFP_KERNEL | STITCH__GFP_ZERO, "GFP_KERNEL|__GFP_ZERO"));
	EXPECT(reads(STITCH_GFP_ATOMIC, "GFP_ATOMIC"));
	EXPECT(reads(STITCH_GFP_USER, "GFP_USER"));
	EXPECT(reads(STITCH_GFP_NOIO, "GFP_NOIO"));
	EXPECT(reads(STITCH__GFP_ZERO | 0x80000000u, "__GFP_ZERO|0x80000000"));
}

TEST(all_flags_fit_or_are_cut)
{
	char text[16];

	alloc_failure_flags(text, sizeof(text), STITCH__GFP_BITS_MASK);
	EXPECT_EQ(strlen(text), sizeof(text) - 1);
}

TEST(ten_in_five_seconds)
{
	unsigned int nr_missed = 1;

	for (unsigned int i = 0; i < 10; i++) {
		EXPECT(alloc_failure_is_due(1000 + i, &nr_missed));
		EXPECT_EQ(nr_missed, 0);
	}
	for (unsigned int i = 0; i < 7; i++)
		EXPECT(!alloc_failure_is_due(5999, &nr_missed));
	EXPECT(alloc_failure_is_due(6000, &nr_missed));
	EXPECT_EQ(nr_missed, 7);
}

RUN_TESTS
