/*
 * test_os_map.c - each entry of os_map.h on the real kernel.
 */
#include "kunit.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "os/os.h"
#include "os/os_map.h"

#define PAGE ((size_t)OS_PAGE_SIZE)

static bool is_mapped(void *address)
{
	unsigned char resident;

	return !mincore(address, PAGE, &resident);
}

static char *map(size_t bytes)
{
	void *address = NULL;

	ASSERT(!os_map(bytes, &address));
	return address;
}

TEST(mappings_are_aligned_and_no_longer_than_asked_for)
{
	for (unsigned int i = 0; i < 20; i++) {
		size_t bytes = MIB(4) + i * PAGE;
		char *address = map(bytes);

		EXPECT_EQ((uintptr_t)address % MIB(2), 0);
		memset(address, 1, bytes);
		EXPECT(!os_unreserve(address, bytes));
		EXPECT(!is_mapped(address + bytes - PAGE));
		EXPECT(!is_mapped(address + bytes)); /* nothing was left there */
		EXPECT(!is_mapped(address - PAGE));
	}
}

TEST(too_much_is_refused)
{
	void *address;

	EXPECT_EQ(os_map(SIZE_MAX - PAGE + 1, &address), -ENOMEM);
	EXPECT_EQ(os_map((size_t)1 << 47, &address), -ENOMEM);
}

TEST(frames_move_out_and_leave_zeros)
{
	char *from = map(MIB(8)), *to = map(MIB(4));

	memset(from, 1, MIB(8));
	memset(to, 2, MIB(4));
	EXPECT(!os_move_out(from + MIB(2), MIB(4) - PAGE, to));
	EXPECT_EQ(from[MIB(2) - 1], 1);
	EXPECT_EQ(from[MIB(2)], 0);
	EXPECT_EQ(from[MIB(6) - PAGE - 1], 0);
	EXPECT_EQ(from[MIB(6) - PAGE], 1);
	for (size_t i = 0; i < MIB(4); i += PAGE)
		ASSERT_EQ(to[i], i < MIB(4) - PAGE ? 1 : 2);
	os_unreserve(from, MIB(8));
	EXPECT(os_move_out(from, MIB(4), to) < 0);
	os_unreserve(to, MIB(4));
}

TEST(mappings_grow_and_shrink)
{
	char *old = map(MIB(4)), *behind;
	void *address = old;

	memset(old, 3, MIB(4));
	behind = mmap(old + MIB(4), PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(!os_resize_mapping(&address, MIB(4), MIB(64)));
	for (size_t i = 0; i < MIB(64); i += PAGE)
		ASSERT_EQ(((char *)address)[i], i < MIB(4) ? 3 : 0);
	if (behind == old + MIB(4))
		EXPECT(address != old);
	EXPECT(!os_resize_mapping(&address, MIB(64), MIB(2)));
	EXPECT(!is_mapped((char *)address + MIB(2)));
	old = address;
	EXPECT(os_resize_mapping(&address, MIB(2), (size_t)1 << 47) < 0);
	EXPECT_EQ(address, old);
	EXPECT_EQ(*(char *)address, 3);
	os_unreserve(address, MIB(2));
}

TEST(several_mappings_are_told_from_one)
{
	char *address = map(MIB(8));

	memset(address, 1, MIB(8));
	EXPECT(os_is_one_map(address, MIB(4)));
	EXPECT(!madvise(address + MIB(2), MIB(1), MADV_DONTDUMP));
	EXPECT(!os_is_one_map(address, MIB(4)));
	EXPECT(os_is_one_map(address + MIB(3), MIB(1)));
	EXPECT_EQ(address[MIB(4)], 1);
	os_unreserve(address, MIB(8));
}

TEST(what_is_mapped_is_not_mapped_over)
{
	char *address = map(MIB(4));

	address[MIB(2)] = 1;
	EXPECT_EQ(os_map_at(address + MIB(2), PAGE), -EEXIST);
	EXPECT_EQ(address[MIB(2)], 1);
	os_unreserve(address + MIB(2), PAGE);
	EXPECT(!os_map_at(address + MIB(2), PAGE));
	EXPECT_EQ(address[MIB(2)], 0);
	os_unreserve(address, MIB(4));
}

TEST(locked_memory_is_told)
{
	char *address = map(MIB(2));

	*address = 1;
	EXPECT(!os_is_locked(address));
	if (mlock(address, PAGE)) {
		printf("mlock: %s\n", strerror(errno));
		return;
	}
	EXPECT(os_is_locked(address));
	EXPECT_EQ(*address, 1);
	munlock(address, PAGE);
	os_unreserve(address, MIB(2));
}

RUN_TESTS
