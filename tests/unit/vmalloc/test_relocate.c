/*
 * test_relocate.c - realloc takes frames along inside the heap: contents, what is left behind,
 * and each answer of the kernel.
 */
#include "kunit.h"

#include <errno.h>

#include "isolated.h"
#include "mm/node.h"
#include "mm/residency.h"
#include "vmalloc/stitch.h"
#include "vmalloc/stitch_cost.h"

static void fill(char *block, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 8)
		*(uint64_t *)(void *)(block + i) = i * 31 + 7;
}

static bool is_filled(const char *block, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 8)
		if (*(const uint64_t *)(const void *)(block + i) != i * 31 + 7)
			return false;
	return true;
}

/* Always move: what costs here is of no interest. */
static void heap_up_moving(void)
{
	heap_up("stitch=uffd");
}

/* A block that must be moved to grow. */
static char *blocked(size_t bytes)
{
	char *one = kmalloc(bytes), *other = kmalloc(bytes), *first = one < other ? one : other;

	ASSERT(one && other);
	fill(first, bytes);
	return first;
}

static size_t nr_touched(const char *block, size_t bytes)
{
	size_t nr_pages;

	zone_lock();
	nr_pages = residency_count_touched(virt_to_pfn(block), bytes / PAGE_SIZE);
	zone_unlock();
	return nr_pages;
}

static char *grow(char *block, size_t bytes, size_t to)
{
	char *grown = krealloc(block, to);

	ASSERT(grown && grown != block);
	EXPECT(is_filled(grown, bytes));
	EXPECT(ksize(grown) >= to);
	memset(grown + bytes, 0x55, to - bytes);
	expect_valid();
	return grown;
}

ISOLATED_TEST(frames_are_taken_along)
{
	char *block;

	heap_up_moving();
	block = blocked(MIB(9));
	grow(block, MIB(9), MIB(13));
	EXPECT_EQ(stitch_counts.relocated, MIB(9) / PAGE_SIZE);
	EXPECT_EQ(nr_touched(block, MIB(9)), 0);
	EXPECT_EQ(zone.nr_free_touched, 0);
	/* Zero, and known to be. */
	block = kzalloc(MIB(9));
	for (size_t i = 0; i < MIB(9); i++)
		ASSERT_EQ(block[i], 0);
}

ISOLATED_TEST(to_another_node_they_are_copied)
{
	char *block, *grown;

	heap_up("stitch=uffd,numa_fake=2");
	block = blocked(MIB(9));
	active_node = node_mark(1);
	grown = grow(block, MIB(9), MIB(13));
	EXPECT_EQ(page_to_nid(pfn_to_page(virt_to_pfn(block))), 0);
	EXPECT_EQ(page_to_nid(pfn_to_page(virt_to_pfn(grown))), 1);
	EXPECT_EQ(stitch_counts.relocated, 0);
}

ISOLATED_TEST(runs_become_longer_runs_and_areas)
{
	heap_up_moving();
	grow(blocked(KIB(512)), KIB(512), KIB(1400));
	EXPECT_EQ(stitch_counts.relocated, 128);
	grow(blocked(KIB(1400)), KIB(1400), MIB(7));
	EXPECT(stitch_counts.relocated > 128 + 256);
	expect_valid();
}

ISOLATED_TEST(short_blocks_are_copied)
{
	heap_up_moving();
	grow(blocked(KIB(508)), KIB(508), KIB(1000));
	EXPECT_EQ(stitch_counts.relocated, 0);
}

/* Where there are frames already: those of the old place are left for others. */
ISOLATED_TEST(places_with_frames_are_copied_to)
{
	char *block, *old;

	heap_up_moving();
	old = kmalloc(MIB(40));
	fill(old, MIB(40));
	block = blocked(MIB(9));
	kfree(old);
	EXPECT_EQ(grow(block, MIB(9), MIB(20)), old);
	EXPECT_EQ(stitch_counts.relocated, 0);
	EXPECT_EQ(nr_touched(block, MIB(9)), MIB(9) / PAGE_SIZE);
}

ISOLATED_TEST(partial_moves_go_on)
{
	heap_up_moving();
	os_fake_move_limit(128);
	grow(blocked(MIB(9)), MIB(9), MIB(13));
	EXPECT_EQ(stitch_counts.relocated, MIB(9) / PAGE_SIZE);
}

/* Pages that the program has never written to. */
ISOLATED_TEST(holes_stay_holes)
{
	char *block, *behind, *grown;

	heap_up_moving();
	block = kmalloc(MIB(9));
	behind = kmalloc(MIB(9));
	ASSERT(behind > block);
	block[MIB(5)] = 1;
	grown = krealloc(block, MIB(13));
	ASSERT(grown != block);
	for (size_t i = 0; i < MIB(9); i++)
		ASSERT_EQ(grown[i], i == MIB(5));
	EXPECT(stitch_counts.relocated > 0);
	expect_valid();
}

/* Shared with a child, pinned, locked; a mover that is gone; no mover at all: bytes are copied. */
static void expect_copied_after(int error, unsigned int nr_failures)
{
	char *block;

	heap_up_moving();
	block = blocked(MIB(9));
	os_fake_fail(OS_CALL_MOVE, 1, nr_failures, error);
	grow(block, MIB(9), MIB(13));
	EXPECT(stitch_counts.relocated < MIB(9) / PAGE_SIZE);
	grow(blocked(MIB(9)), MIB(9), MIB(17));
}

ISOLATED_TEST(shared_frames_are_copied)
{
	expect_copied_after(EBUSY, 2);
	EXPECT_EQ(stitch_counts.relocated, MIB(18 - 4) / PAGE_SIZE);
}

ISOLATED_TEST(locked_frames_are_copied)
{
	expect_copied_after(EEXIST, UINT_MAX);
}

ISOLATED_TEST(who_asks_for_patience_gets_some)
{
	expect_copied_after(EAGAIN, UINT_MAX);
	EXPECT_EQ(stitch_counts.relocated, 0);
}

ISOLATED_TEST(a_mover_that_is_gone_is_opened_again)
{
	expect_copied_after(EBADF, 1);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVER_OPEN), 2);
}

ISOLATED_TEST(without_a_mover_bytes_are_copied)
{
	heap_up_moving();
	os_fake_feature(OS_FEATURE_MOVE, false);
	grow(blocked(MIB(9)), MIB(9), MIB(13));
	EXPECT_EQ(stitch_counts.relocated, 0);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE), 0);
}

ISOLATED_TEST(what_is_dearer_than_faults_is_not_done)
{
	heap_up("");
	stitch_costs.page = (struct cost){ .ns = 10000, .nr_measured = 8 };
	grow(blocked(MIB(9)), MIB(9), MIB(13));
	EXPECT_EQ(stitch_counts.relocated, 0);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE), 0);
}

/* Huge pages, which the areas of HIGH are made of: whole ones only. */
ISOLATED_TEST(huge_pages_are_moved_whole)
{
	heap_up("stitch=uffd,thp=always");
	os_fake_feature(OS_FEATURE_HUGE_PAGES, false); /* the fake moves page by page */
	grow(blocked(MIB(9)), MIB(9), MIB(14));
	EXPECT_EQ(stitch_counts.relocated, MIB(8) / PAGE_SIZE);
}

ISOLATED_TEST(no_memory_for_the_new_place_leaves_the_block)
{
	char *block;

	heap_up("stitch=uffd,reserve=64M");
	block = blocked(MIB(20));
	os_fake_fail(OS_CALL_MAP, 1, UINT_MAX, ENOMEM);
	EXPECT_EQ(krealloc(block, MIB(60)), NULL);
	EXPECT(is_filled(block, MIB(20)));
	EXPECT_EQ(ksize(block), MIB(20));
	expect_valid();
}

RUN_TESTS
