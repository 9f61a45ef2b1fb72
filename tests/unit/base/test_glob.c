/* test_glob.c - base/glob. */
#include "base/glob.h"

#include "kunit.h"

TEST(a_name_matches_itself_only)
{
	EXPECT(glob_match("libc", "libc"));
	EXPECT(!glob_match("libc", "libc6"));
	EXPECT(!glob_match("libc", "lib"));
	EXPECT(!glob_match("libc", ""));
	EXPECT(!glob_match("", "libc"));
	EXPECT(glob_match("", ""));
}

TEST(a_star_is_any_text)
{
	EXPECT(glob_match("*", ""));
	EXPECT(glob_match("*", "anything"));
	EXPECT(glob_match("lib*.so", "libc.so"));
	EXPECT(glob_match("lib*.so*", "libm.so.6"));
	EXPECT(!glob_match("lib*.so", "libm.so.6"));
	EXPECT(glob_match("*a*ab", "aaab"));
	EXPECT(glob_match("a**b", "ab"));
	EXPECT(!glob_match("a*b*c", "a-c-b"));
}

TEST(one_of_a_list)
{
	EXPECT(glob_match_any("foo+bar*", "foo"));
	EXPECT(glob_match_any("foo+bar*", "barn"));
	EXPECT(!glob_match_any("foo+bar*", "foo+bar"));
	EXPECT(!glob_match_any("foo+bar*", "ba"));
	EXPECT(!glob_match_any("", "foo"));
	EXPECT(!glob_match_any("", ""));
	EXPECT(!glob_match_any("foo++bar+", ""));
	EXPECT(glob_match_any("libstdc*.so.6", "libstdc++.so.6"));
	EXPECT(glob_match_any("+foo", "foo"));
	EXPECT(!glob_match_any("fo*+", "bar"));
}
RUN_TESTS
