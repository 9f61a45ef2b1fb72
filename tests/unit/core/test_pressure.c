/*
 * test_pressure.c - the share of the time that somebody has waited for memory.
 */
#include "core/pressure.h"
#include "fake/os_fake.h"
#include "kunit.h"

#define SYSTEM "/proc/pressure/memory"
#define OWN "/sys/fs/cgroup/a/memory.pressure"

static uint64_t now;

/* The fake kernel does not copy texts. */
static void waited(const char *path, unsigned long us)
{
	static char texts[2][200];
	char *text = texts[!strcmp(path, OWN)];

	snprintf(text, sizeof(texts[0]), "some avg10=9.99 avg60=0.00 avg300=0.00 total=%lu\n"
		 "full avg10=0.00 avg60=0.00 avg300=0.00 total=99999999999\n", us);
	os_fake_file_set(path, text);
}

/* A second later. */
static bool is_high(void)
{
	return pressure_is_high(now += 1000);
}

TEST(a_tenth_of_the_time)
{
	os_fake_reset();
	waited(SYSTEM, 5000000);
	EXPECT(!is_high()); /* nobody knows since when */
	EXPECT(!is_high());
	waited(SYSTEM, 5000000 + 99999);
	EXPECT(!is_high());
	waited(SYSTEM, 5000000 + 99999 + 100000);
	EXPECT(is_high());
	EXPECT(!is_high());
	now += 1000;
	waited(SYSTEM, 5199999 + 199999);
	EXPECT(!is_high());
}

TEST(the_own_group_comes_first)
{
	os_fake_reset();
	os_fake_file_set("/proc/self/cgroup", "0::/a\n");
	waited(SYSTEM, 0);
	waited(OWN, 0);
	is_high();
	waited(SYSTEM, 1000000);
	EXPECT(!is_high());
	waited(OWN, 1000000);
	EXPECT(is_high());
}

TEST(what_is_not_understood_is_no_pressure)
{
	static const char *const texts[] = { "", "some", "some total=", "some total=x\n",
					     "full total=1\nsome total=9\n",
					     "some avg10=1\ntotal=9" };

	os_fake_reset();
	is_high();
	for (unsigned int i = 0; i < ARRAY_SIZE(texts); i++) {
		waited(SYSTEM, 0);
		is_high();
		os_fake_file_set(SYSTEM, texts[i]);
		EXPECT(!is_high());
		waited(SYSTEM, 900000000);
		EXPECT(!is_high()); /* begun anew */
	}
	waited(SYSTEM, 0); /* in another group */
	EXPECT(!is_high());
	waited(SYSTEM, 100000);
	EXPECT(is_high());
}

TEST(or_a_group_that_is_nearly_full)
{
	os_fake_reset();
	os_fake_file_set("/proc/self/cgroup", "0::/a\n");
	os_fake_file_set("/sys/fs/cgroup/a/memory.max", "1000000\n");
	os_fake_file_set("/sys/fs/cgroup/a/memory.stat", "anon 900000\n");
	EXPECT(is_high());
	os_fake_file_set("/sys/fs/cgroup/a/memory.stat", "anon 800000\n");
	EXPECT(!is_high());
}

RUN_TESTS
