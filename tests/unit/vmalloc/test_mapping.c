/*
 * test_mapping.c - blocks that realloc moves out of the heap: contents, growth, reuse, failures.
 */
#include "kunit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "isolated.h"
#include "kmalloc/owner.h"
#include "mm/node.h"
#include "vmalloc/mapping.h"

/* A word in every page. */
static void tag(char *block, size_t bytes, uint64_t seed)
{
	for (size_t i = 0; i < bytes; i += PAGE_SIZE)
		*(uint64_t *)(void *)(block + i) = seed + i;
}

static bool is_tagged(const char *block, size_t bytes, uint64_t seed)
{
	for (size_t i = 0; i < bytes; i += PAGE_SIZE)
		if (*(const uint64_t *)(const void *)(block + i) != seed + i)
			return false;
	return true;
}

static bool is_outside(const void *block)
{
	return virt_to_pfn(block) >= mm_map.nr_pages;
}

static struct mapping_counts counts_now(void)
{
	struct mapping_counts counts;

	mapping_count(&counts);
	return counts;
}

/* An area with another right behind it, so that it cannot grow. */
static char *blocked_area(size_t bytes)
{
	char *area = kmalloc(bytes), *behind = kmalloc(MIB(5));

	ASSERT(area && behind > area);
	tag(area, bytes, 1);
	return area;
}

static char *moved_out(size_t bytes)
{
	char *block = krealloc(blocked_area(MIB(33)), bytes);

	ASSERT(block && is_outside(block));
	return block;
}

ISOLATED_TEST(a_blocked_block_of_32_mib_leaves_the_heap)
{
	struct kmalloc_usage usage;
	char *area, *block;

	heap_up("");
	area = blocked_area(MIB(33));
	block = krealloc(area, MIB(40));
	EXPECT(is_outside(block));
	EXPECT(is_aligned((uintptr_t)block, PAGE_SIZE));
	EXPECT(is_tagged(block, MIB(33), 1));
	EXPECT_EQ(ksize(block), MIB(40));
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE_OUT), 1);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE), 0);
	kmalloc_usage_read(&usage);
	EXPECT_EQ(usage.area_live, MIB(45));
	EXPECT_EQ(usage.nr_areas, 2);
	EXPECT_EQ(usage.mapped_live, MIB(40));
	EXPECT_EQ(usage.mapped_in, 1);
	EXPECT_EQ(usage.free_resident, 0); /* the frames have left */
	expect_valid();
	/* What it left behind is zero, and known to be. */
	area = kzalloc(MIB(33));
	for (size_t i = 0; i < MIB(33); i++)
		ASSERT_EQ(area[i], 0);
}

/* Also where there were frames before it. */
ISOLATED_TEST(no_frame_is_thought_to_stay)
{
	struct kmalloc_usage usage;
	char *area;

	heap_up("");
	area = kmalloc(MIB(33));
	tag(area, MIB(33), 1);
	kfree(area);
	EXPECT_EQ(blocked_area(MIB(33)), area);
	EXPECT(is_outside(krealloc(area, MIB(40))));
	kmalloc_usage_read(&usage);
	EXPECT_EQ(usage.free_resident, 0);
}

ISOLATED_TEST(smaller_ones_stay)
{
	char *block;

	heap_up("");
	block = krealloc(blocked_area(MIB(20)), MIB(32) - PAGE_SIZE);
	EXPECT(!is_outside(block));
	EXPECT(is_tagged(block, MIB(20), 1));
	expect_valid();
}

ISOLATED_TEST(one_that_can_grow_in_place_stays)
{
	char *area;

	heap_up("");
	area = kmalloc(MIB(33));
	EXPECT_EQ(krealloc(area, MIB(300)), area);
	EXPECT_EQ(krealloc(area, MIB(33)), area);
}

ISOLATED_TEST(what_is_kept_is_for_its_own_node)
{
	char *block;

	heap_up("numa_fake=2");
	active_node = node_mark(1);
	block = moved_out(MIB(40));
	kfree(block);
	active_node = node_mark(0);
	EXPECT(!mapping_suits(MIB(40) / PAGE_SIZE));
	EXPECT(!mapping_reuse(MIB(40) / PAGE_SIZE));
	active_node = node_mark(1);
	EXPECT(mapping_suits(MIB(40) / PAGE_SIZE));
	EXPECT_EQ(mapping_reuse(MIB(40) / PAGE_SIZE), block);
}

ISOLATED_TEST(growing_within_the_mapping_takes_no_call)
{
	unsigned int nr_calls;
	char *block;

	heap_up("");
	block = moved_out(MIB(40));
	nr_calls = os_fake_calls(OS_CALL_RESIZE_MAPPING);
	EXPECT_EQ(krealloc(block, MIB(45)), block);
	EXPECT_EQ(os_fake_calls(OS_CALL_RESIZE_MAPPING), nr_calls);
	EXPECT_EQ(ksize(block), MIB(45));
	tag(block, MIB(45), 2);
	block = krealloc(block, MIB(100));
	EXPECT_EQ(os_fake_calls(OS_CALL_RESIZE_MAPPING), nr_calls + 1);
	EXPECT(is_tagged(block, MIB(45), 2));
	tag(block, MIB(100), 3);
	block = krealloc(block, MIB(300));
	EXPECT(is_tagged(block, MIB(100), 3));
	EXPECT_EQ(ksize(block), MIB(300));
	expect_valid();
}

ISOLATED_TEST(what_shrinks_gives_its_memory_back_and_goes_home)
{
	unsigned char resident = 0;
	char *block;

	heap_up("");
	block = moved_out(MIB(40));
	tag(block, MIB(40), 4);
	EXPECT_EQ(krealloc(block, MIB(20)), block);
	EXPECT_EQ(ksize(block), MIB(20));
	ASSERT(!mincore(block + MIB(30), PAGE_SIZE, &resident));
	EXPECT(!(resident & 1));
	EXPECT_EQ(krealloc(block, MIB(16)), block);
	block = krealloc(block, MIB(16) - PAGE_SIZE);
	EXPECT(!is_outside(block));
	EXPECT(is_tagged(block, MIB(16) - PAGE_SIZE, 4));
	EXPECT_EQ(counts_now().nr_live, 0);
	expect_valid();
}

ISOLATED_TEST(freed_ones_serve_again)
{
	struct kmalloc_usage usage;
	char *block;

	heap_up("");
	block = moved_out(MIB(40));
	kfree(block);
	kmalloc_usage_read(&usage);
	EXPECT_EQ(usage.mapped_live, 0);
	EXPECT(usage.mapped_free >= MIB(40));
	EXPECT_EQ(usage.free_resident, usage.mapped_free);
	EXPECT(kmalloc(MIB(31)) != block); /* too small for it */
	EXPECT(kmalloc(MIB(64)) != block); /* too large */
	EXPECT_EQ(kmalloc(MIB(33)), block);
	EXPECT_EQ(ksize(block), MIB(33));
	EXPECT_EQ(counts_now().nr_reused, 1);
	EXPECT(kmalloc(MIB(33)) != block);
	EXPECT(!is_outside(kmalloc(MIB(33))));
	kfree(block);
	EXPECT(kzalloc(MIB(33)) != block); /* it is not zero */
	EXPECT(kmalloc_trim());
	EXPECT_EQ(counts_now().nr_cached, 0);
	EXPECT_EQ(zone.nr_kept_outside, 0);
	EXPECT(!is_outside(kmalloc(MIB(33))));
	block = moved_out(MIB(200));
	kfree(block);
	EXPECT(kmalloc(MIB(40)) != block); /* more than four times as long */
	EXPECT_EQ(kmalloc(MIB(60)), block);
	EXPECT_EQ(zone.nr_kept_outside, 0);
}

/* It has frames, which are dearer than a copy. */
ISOLATED_TEST(blocks_that_leave_take_what_is_kept)
{
	struct kmalloc_usage usage;
	char *block, *area;

	heap_up("");
	block = moved_out(MIB(40));
	area = blocked_area(MIB(33)); /* it would have been served by what is kept */
	kfree(block);
	EXPECT_EQ(krealloc(area, MIB(45)), block);
	EXPECT(is_tagged(block, MIB(33), 1));
	EXPECT_EQ(counts_now().nr_moved_in, 1);
	EXPECT_EQ(counts_now().nr_reused, 1);
	kmalloc_usage_read(&usage);
	EXPECT_EQ(usage.free_resident, MIB(33)); /* its frames stayed */
	expect_valid();
}

ISOLATED_TEST(what_is_kept_is_bounded)
{
	char *blocks[6];

	heap_up("retain=48M");
	for (unsigned int i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = moved_out(MIB(40));
	for (unsigned int i = 0; i < ARRAY_SIZE(blocks); i++)
		kfree(blocks[i]);
	EXPECT_EQ(counts_now().nr_cached, 4);
	EXPECT_EQ(counts_now().nr_live, 0);
}

ISOLATED_TEST(nothing_is_kept_where_nothing_is_retained)
{
	heap_up("retain=0");
	kfree(moved_out(MIB(40)));
	EXPECT_EQ(counts_now().nr_cached, 0);
}

ISOLATED_TEST(what_is_kept_goes_back_with_time)
{
	heap_up("decay_ms=2000");
	os_fake_clock_set(100000);
	kfree(moved_out(MIB(40)));
	os_fake_clock_advance(1900);
	kfree(kmalloc(MIB(3)));
	EXPECT_EQ(counts_now().nr_cached, 1);
	os_fake_clock_advance(200);
	kfree(kmalloc(MIB(3))); /* any slow path */
	EXPECT_EQ(counts_now().nr_cached, 0);
}

/* One at a time: it takes as long as the memory is much. */
ISOLATED_TEST(what_is_kept_goes_back_piece_by_piece)
{
	char *blocks[3];

	heap_up("decay_ms=0");
	for (unsigned int i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = moved_out(MIB(40));
	for (unsigned int i = 0; i < ARRAY_SIZE(blocks); i++)
		EXPECT(mapping_free(blocks[i]));
	EXPECT_EQ(counts_now().nr_cached, 3);
	kfree(kmalloc(MIB(3)));
	EXPECT_EQ(counts_now().nr_cached, 1); /* malloc and free */
	EXPECT(kmalloc_trim());
	EXPECT_EQ(counts_now().nr_cached, 0);
}

/* Before the answer is NULL. */
ISOLATED_TEST(what_is_kept_makes_room)
{
	char *block;

	heap_up("");
	block = moved_out(MIB(40));
	EXPECT(mapping_free(block));
	os_fake_fail(OS_CALL_OPEN, 1, UINT_MAX, ENOMEM);
	EXPECT(!kmalloc(MIB(300)));
	EXPECT_EQ(counts_now().nr_cached, 0);
}

ISOLATED_TEST(pointers_are_looked_at)
{
	size_t bytes;
	char *block;

	heap_up("");
	block = moved_out(MIB(40));
	EXPECT_EQ(owner_of(block).kind, OWNER_MAPPING);
	EXPECT_EQ(owner_of(block + 16).kind, OWNER_WRONG);
	EXPECT_EQ(owner_of(block + MIB(39)).kind, OWNER_WRONG);
	EXPECT_EQ(owner_of(block - 1).kind, OWNER_FOREIGN);
	EXPECT_EQ(mapping_look_up(block + 16, &bytes), MAPPING_INSIDE);
	EXPECT(!mapping_free(block + PAGE_SIZE));
	EXPECT(mapping_free(block));
	EXPECT(!mapping_free(block));
	EXPECT_EQ(owner_of(block).kind, OWNER_WRONG);
	EXPECT_EQ(mapping_look_up(block, &bytes), MAPPING_FREED);
	EXPECT(!mapping_resize(block, MAPPING_MIN_PAGES));
	EXPECT_EQ(mapping_drop(0), MIB(40) / PAGE_SIZE);
	EXPECT_EQ(owner_of(block).kind, OWNER_FOREIGN);
}

/* Where frames do not leave, the block is moved inside the heap. */
static void expect_to_stay(void)
{
	char *block = krealloc(blocked_area(MIB(33)), MIB(40));

	EXPECT(!is_outside(block));
	EXPECT(is_tagged(block, MIB(33), 1));
	EXPECT_EQ(counts_now().nr_live, 0);
	expect_valid();
}

ISOLATED_TEST(without_the_kernels_help_blocks_stay)
{
	heap_up("");
	os_fake_feature(OS_FEATURE_MOVE_OUT, false);
	expect_to_stay();
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE_OUT), 1);
	EXPECT(os_fake_calls(OS_CALL_MOVE) > 0);
}

/* Of several mappings, as by madvise of a part, some may move and others not. */
ISOLATED_TEST(blocks_of_several_mappings_stay)
{
	heap_up("");
	os_fake_feature(OS_FEATURE_ONE_MAP, false);
	expect_to_stay();
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE_OUT), 0);
}

/* KiB of writable mappings that nobody has touched: Valgrind touches what it has for itself. */
static size_t count_untouched(void)
{
	size_t start, end, resident, size = 0, sum = 0;
	FILE *maps = fopen("/proc/self/smaps", "r");
	char line[512], access[8];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%zx-%zx %7s", &start, &end, access) == 3)
			size = access[1] == 'w' ? (end - start) / KIB(1) : 0;
		else if (sscanf(line, "Rss: %zu", &resident) == 1 && !resident)
			sum += size;
	}
	if (!maps || fclose(maps))
		abort();
	return sum;
}

/* As with too many mappings: the kernel says so before it unmaps where it should go. */
ISOLATED_TEST(a_move_that_is_refused_at_once_leaves_no_mapping)
{
	size_t before;

	heap_up("");
	before = count_untouched();
	os_fake_fail(OS_CALL_MOVE_OUT, 1, UINT_MAX, ENOMEM);
	for (int i = 0; i < 4; i++)
		expect_to_stay();
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE_OUT), 4);
	EXPECT(count_untouched() < before + MIB(30) / KIB(1));
}

/* A failed move leaves no mapping where it should have gone. */
ISOLATED_TEST(a_failed_move_leaves_the_block)
{
	heap_up("");
	os_fake_move_out_unmaps(true);
	os_fake_fail(OS_CALL_MOVE_OUT, 1, 1, ENOMEM);
	expect_to_stay();
}

ISOLATED_TEST(under_a_filter_blocks_stay)
{
	heap_up("");
	os_fake_feature(OS_FEATURE_NO_FILTER, false);
	expect_to_stay();
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE_OUT), 0);
	EXPECT_EQ(os_fake_calls(OS_CALL_MAP), 0);
}

ISOLATED_TEST(what_is_kept_gives_way_to_a_block_that_grows)
{
	char *block, *other;

	heap_up("");
	block = moved_out(MIB(40));
	other = moved_out(MIB(40));
	kfree(other);
	tag(block, MIB(40), 7);
	os_fake_fail(OS_CALL_RESIZE_MAPPING, 1, 2, ENOMEM);
	block = krealloc(block, MIB(60));
	EXPECT(is_outside(block));
	EXPECT(is_tagged(block, MIB(40), 7));
	EXPECT_EQ(counts_now().nr_cached, 0);
}

ISOLATED_TEST(locked_memory_stays)
{
	heap_up("");
	os_fake_feature(OS_FEATURE_NOT_LOCKED, false);
	expect_to_stay();
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE_OUT), 0);
}

ISOLATED_TEST(where_memory_counts_blocks_stay)
{
	heap_up("");
	os_fake_fail(OS_CALL_MAP, 2, 1, ENOMEM); /* the question, behind that of locked mappings */
	expect_to_stay();
	EXPECT_EQ(os_fake_calls(OS_CALL_MAP), 2);
	expect_to_stay(); /* and is not asked again */
	EXPECT_EQ(os_fake_calls(OS_CALL_MAP), 2);
}

/* The last step can only fail when another thread has taken the place. */
ISOLATED_TEST(a_move_that_cannot_be_finished_is_taken_back)
{
	heap_up("");
	os_fake_fail(OS_CALL_RESIZE_MAPPING, 1, 1, ENOMEM);
	expect_to_stay();
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE_OUT), 1);
	EXPECT(is_outside(krealloc(blocked_area(MIB(33)), MIB(40)))); /* the next one */
}

ISOLATED_TEST(a_block_that_cannot_grow_is_copied_or_stays)
{
	char *block;

	heap_up("");
	block = moved_out(MIB(40));
	tag(block, MIB(40), 5);
	os_fake_fail(OS_CALL_RESIZE_MAPPING, 1, 2, ENOMEM); /* with something to spare, and not */
	block = krealloc(block, MIB(60));
	EXPECT(!is_outside(block));
	EXPECT(is_tagged(block, MIB(40), 5));
	block = moved_out(MIB(40));
	tag(block, MIB(40), 6);
	EXPECT_EQ(krealloc(block, GIB(100000)), NULL);
	EXPECT(is_tagged(block, MIB(40), 6));
	EXPECT_EQ(ksize(block), MIB(40));
	expect_valid();
}

ISOLATED_TEST(less_to_spare_is_better_than_nothing)
{
	unsigned int nr_calls;
	char *block;

	heap_up("");
	block = moved_out(MIB(40));
	nr_calls = os_fake_calls(OS_CALL_RESIZE_MAPPING);
	os_fake_fail(OS_CALL_RESIZE_MAPPING, 1, 1, ENOMEM);
	block = krealloc(block, MIB(60));
	EXPECT(is_outside(block));
	EXPECT_EQ(ksize(block), MIB(60));
	EXPECT_EQ(os_fake_calls(OS_CALL_RESIZE_MAPPING), nr_calls + 2);
	EXPECT(krealloc(block, MIB(61)) != NULL); /* with nothing to spare: a call */
	EXPECT_EQ(os_fake_calls(OS_CALL_RESIZE_MAPPING), nr_calls + 3);
}

ISOLATED_TEST(when_there_are_too_many_the_others_stay)
{
	unsigned int nr_outside = 0;

	heap_up("");
	for (unsigned int i = 0; i < 260; i++)
		nr_outside += is_outside(krealloc(blocked_area(MIB(3)), MIB(32)));
	EXPECT_EQ(nr_outside, 256);
	expect_valid();
}

RUN_TESTS
