/*
 * test_cgroup.c - the lowest memory limit of the groups that /proc/self/cgroup names.
 */
#include "core/cgroup.h"

#include <errno.h>

#include "fake/os_fake.h"
#include "kunit.h"

#define NONE SIZE_MAX
#define V1 "/sys/fs/cgroup/memory"
#define V2 "/sys/fs/cgroup"
#define FILE_OF_V1 "/memory.limit_in_bytes"
#define UNLIMITED_V1 "9223372036854771712\n"

static void group_is(const char *lines)
{
	os_fake_reset();
	os_fake_file_set("/proc/self/cgroup", lines);
}

static void file(const char *path, const char *text)
{
	os_fake_file_set(path, text);
}

static unsigned int nr_files_read(void)
{
	return os_fake_calls(OS_CALL_READ_FILE);
}

TEST(no_groups_at_all)
{
	os_fake_reset();
	file(V2 "/memory.max", "4096\n");
	EXPECT_EQ(cgroup_memory_limit(), NONE);
	EXPECT_EQ(nr_files_read(), 1);
	group_is("");
	EXPECT_EQ(cgroup_memory_limit(), NONE);
	EXPECT_EQ(nr_files_read(), 1);
}

TEST(version_2_in_a_container)
{
	group_is("0::/\n");
	file(V2 "/memory.max", "134217728\n");
	file(V2 "/memory.high", "max\n");
	EXPECT_EQ(cgroup_memory_limit(), MIB(128));
	EXPECT_EQ(nr_files_read(), 3);
	file(V2 "/memory.high", "67108864\n");
	EXPECT_EQ(cgroup_memory_limit(), MIB(64));
	file(V2 "/memory.max", "max\n");
	EXPECT_EQ(cgroup_memory_limit(), MIB(64));
	file(V2 "/memory.high", "max\n");
	EXPECT_EQ(cgroup_memory_limit(), NONE);
}

/* The root of the machine has no limits. */
TEST(version_2_without_containers)
{
	group_is("0::/\n");
	EXPECT_EQ(cgroup_memory_limit(), NONE);
	EXPECT_EQ(nr_files_read(), 2);
	group_is("0::/system.slice/a.service\n");
	file(V2 "/system.slice/a.service/memory.max", "max\n");
	file(V2 "/system.slice/a.service/memory.high", "max\n");
	file(V2 "/system.slice/memory.max", "max\n");
	file(V2 "/system.slice/memory.high", "max\n");
	EXPECT_EQ(cgroup_memory_limit(), NONE);
	EXPECT_EQ(nr_files_read(), 6);
}

TEST(the_lowest_of_nested_limits)
{
	group_is("0::/a/b/c\n");
	file(V2 "/a/b/c/memory.max", "3000000\n");
	file(V2 "/a/b/memory.max", "2000000\n");
	file(V2 "/a/memory.max", "4000000\n");
	file(V2 "/memory.max", "5000000\n");
	EXPECT_EQ(cgroup_memory_limit(), 2000000);
	file(V2 "/a/memory.high", "1500000\n");
	EXPECT_EQ(cgroup_memory_limit(), 1500000);
	file(V2 "/memory.max", "1000000\n");
	EXPECT_EQ(cgroup_memory_limit(), 1000000);
	file(V2 "/a/b/c/memory.high", "0\n");
	EXPECT_EQ(cgroup_memory_limit(), 0);
}

/* A group for which memory is not counted, in one for which it is. */
TEST(levels_without_files)
{
	group_is("0::/a/b/c\n");
	file(V2 "/a/memory.max", "4000000\n");
	EXPECT_EQ(cgroup_memory_limit(), 4000000);
	group_is("0::/a/b (deleted)\n");
	file(V2 "/a/memory.max", "4000000\n");
	EXPECT_EQ(cgroup_memory_limit(), 4000000);
}

#define LINES_V1(path) "12:cpu,cpuacct:" path "\n4:blkio,memory,pids:" path "\n1:name=systemd:/s\n"

TEST(version_1)
{
	group_is(LINES_V1("/docker/123"));
	file(V1 "/docker/123" FILE_OF_V1, "1000000\n");
	file(V1 "/docker" FILE_OF_V1, "2000000\n");
	file(V1 FILE_OF_V1, UNLIMITED_V1);
	EXPECT_EQ(cgroup_memory_limit(), 1000000);
	EXPECT_EQ(nr_files_read(), 4);
	file(V1 "/docker" FILE_OF_V1, "900000\n");
	EXPECT_EQ(cgroup_memory_limit(), 900000);
	group_is(LINES_V1("/"));
	file(V1 FILE_OF_V1, UNLIMITED_V1);
	EXPECT_EQ(cgroup_memory_limit(), 9223372036854771712u);
}

/* The path is the host's, what is mounted is the group itself. */
TEST(path_that_is_not_mounted)
{
	group_is(LINES_V1("/docker/123"));
	file(V1 FILE_OF_V1, "1000000\n");
	EXPECT_EQ(cgroup_memory_limit(), 1000000);
	group_is("0::/../../x\n");
	file(V2 "/../../x/memory.max", "1000\n");
	file(V2 "/memory.max", "2000\n");
	EXPECT_EQ(cgroup_memory_limit(), 2000);
}

TEST(hybrid)
{
	group_is("4:memory:/a\n0::/b\n");
	file(V2 "/b/memory.max", "1000\n");
	file(V1 "/a" FILE_OF_V1, "2000\n");
	EXPECT_EQ(cgroup_memory_limit(), 2000);
	group_is("0::/b\n4:memory:/a\n");
	file(V2 "/b/memory.max", "1000\n");
	file(V1 "/a" FILE_OF_V1, "2000\n");
	EXPECT_EQ(cgroup_memory_limit(), 2000);
	group_is("4:cpu:/a\n0::/b\n1:name=memory:/c\n2:memory2,xmemory,mem:/d\n");
	file(V2 "/b/memory.max", "1000\n");
	EXPECT_EQ(cgroup_memory_limit(), 1000);
}

TEST(unreadable)
{
	group_is("0::/a\n");
	file(V2 "/a/memory.max", "1000\n");
	os_fake_fail(OS_CALL_READ_FILE, 1, 1, 13);
	EXPECT_EQ(cgroup_memory_limit(), NONE);
	EXPECT_EQ(nr_files_read(), 1);
	os_fake_fail(OS_CALL_READ_FILE, 2, 1, 13);
	EXPECT_EQ(cgroup_memory_limit(), NONE);
	os_fake_fail(OS_CALL_READ_FILE, 3, 1, 13);
	EXPECT_EQ(cgroup_memory_limit(), 1000);
}

TEST(garbage_is_no_limit)
{
	static const char *const lines[] = { "\n", "::\n", "0::\n", "0:/\n", "0::x\n", "memory\n",
					     ":::::\n", "0::/", "4:memory", "4:memory:", "\n\n\n" };
	static const char *const values[] = { "", "\n", "-1\n", "max", "maximum\n", "1 2\n",
					      "1\n2\n", "99999999999999999999999\n",
					      "18446744073709551616\n",
					      "111111111111111111111111111111111111111111\n" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		group_is(lines[i]);
		file(V2 "/memory.max", "1000\n");
		file(V1 FILE_OF_V1, "1000\n");
		EXPECT_EQ(cgroup_memory_limit(), NONE);
	}
	group_is("0::/\n");
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		file(V2 "/memory.max", values[i]);
		EXPECT_EQ(cgroup_memory_limit(), NONE);
	}
	file(V2 "/memory.max", "12345");
	EXPECT_EQ(cgroup_memory_limit(), 12345);
}

/* The group itself cannot be asked; what is above it is. */
TEST(path_that_is_too_long)
{
	static char lines[2000], above[1000];

	memset(lines, 'x', sizeof(lines) - 1);
	memcpy(lines, "0::/a/b", 7);
	lines[5] = lines[900] = '/';
	lines[sizeof(lines) - 2] = '\n';
	group_is(lines);
	file(V2 "/memory.max", "5000\n");
	file(V2 "/a/memory.max", "2000\n");
	EXPECT_EQ(cgroup_memory_limit(), 2000);
	/* The longest that can. */
	for (size_t length = 700; length < 800; length++) {
		lines[900] = 'x';
		lines[3 + length] = '/';
		group_is(lines);
		snprintf(above, sizeof(above), V2 "%.*s/memory.max", (int)length, lines + 3);
		file(above, "1000\n");
		file(V2 "/a/memory.max", "2000\n");
		EXPECT_EQ(cgroup_memory_limit(), length <= 754 ? 1000 : 2000);
		lines[3 + length] = '\n';
		group_is(lines);
		file(above, "1000\n");
		file(V2 "/a/memory.max", "2000\n");
		EXPECT_EQ(cgroup_memory_limit(), length <= 754 ? 1000 : 2000);
		lines[3 + length] = 'x';
	}
}

TEST(lines_that_do_not_fit)
{
	static char lines[5000];

	memset(lines, 'x', sizeof(lines) - 1);
	memcpy(lines, "0::/a\n9:cpu:/", 13);
	memcpy(lines + sizeof(lines) - 20, "\n4:memory:/b\n", 13);
	group_is(lines);
	file(V2 "/a/memory.max", "2000\n");
	file(V1 "/b" FILE_OF_V1, "1000\n");
	EXPECT_EQ(cgroup_memory_limit(), 2000);
	memcpy(lines, "0::/axxxxxxxx", 13);
	EXPECT_EQ(cgroup_memory_limit(), NONE);
}

/* --- how full -------------------------------------------------------------------------------- */

TEST(version_2_is_nearly_full)
{
	group_is("0::/a/b\n");
	file(V2 "/a/b/memory.max", "1000000\n");
	file(V2 "/a/b/memory.high", "800000\n");
	file(V2 "/a/b/memory.stat", "file 900000\nanon 700000\nanon_thp 900000\n");
	EXPECT(!cgroup_is_nearly_full());
	file(V2 "/a/b/memory.stat", "anon 700001\nfile 0\n");
	EXPECT(cgroup_is_nearly_full());
	file(V2 "/a/b/memory.high", "max\n");
	EXPECT(!cgroup_is_nearly_full());
	file(V2 "/a/memory.max", "800000\n");
	file(V2 "/a/memory.stat", "anon 800000\n");
	EXPECT(cgroup_is_nearly_full());
}

TEST(version_1_is_nearly_full)
{
	group_is("4:memory:/a\n");
	file(V1 "/a" FILE_OF_V1, "1000000\n");
	file(V1 "/a/memory.stat", "rss 999999\ntotal_rss 875000\ntotal_cache 999999\n");
	EXPECT(!cgroup_is_nearly_full());
	file(V1 "/a/memory.stat", "total_cache 1\ntotal_rss 875001\n");
	EXPECT(cgroup_is_nearly_full());
	file(V1 "/a" FILE_OF_V1, UNLIMITED_V1);
	EXPECT(!cgroup_is_nearly_full());
}

/* Nothing that can be read, or understood: nothing is full. */
TEST(nobody_knows_how_full)
{
	os_fake_reset();
	EXPECT(!cgroup_is_nearly_full());
	group_is("0::/\n");
	file(V2 "/memory.max", "1000000\n");
	EXPECT(!cgroup_is_nearly_full());
	file(V2 "/memory.stat", "anon many\nanon");
	EXPECT(!cgroup_is_nearly_full());
	file(V2 "/memory.stat", "");
	EXPECT(!cgroup_is_nearly_full());
}

TEST(pressure_of_the_own_group)
{
	char text[100];

	group_is("0::/a\n");
	EXPECT_EQ(cgroup_read_pressure(text, sizeof(text)), -ENOENT);
	file(V2 "/a/memory.pressure", "some\n");
	EXPECT_EQ(cgroup_read_pressure(text, sizeof(text)), 5);
	group_is("4:memory:/a\n");
	file(V2 "/a/memory.pressure", "some\n");
	EXPECT_EQ(cgroup_read_pressure(text, sizeof(text)), -ENOENT);
}

RUN_TESTS
