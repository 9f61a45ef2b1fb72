/*
 * test_gather.c - large requests without a mover: frames that are moved out of the heap, what they
 * leave, what is kept, the budget of mappings, and each way to fail.
 */
#include "kunit.h"

#include <errno.h>

#include "isolated.h"
#include "kmalloc/owner.h"
#include "mm/residency.h"
#include "vmalloc/gather.h"
#include "vmalloc/mapping.h"
#include "vmalloc/mover.h"
#include "vmalloc/stitch.h"
#include "vmalloc/stitch_cost.h"

#define NR_RUNS 160u
#define RUN_BYTES KIB(512)

static char *runs[NR_RUNS];

/* 80 MiB of runs with a mark in every page, every other one of them free. */
static void heap_up_scattered(const char *options)
{
	heap_up(options);
	for (unsigned int i = 0; i < NR_RUNS; i++) {
		runs[i] = kmalloc(RUN_BYTES);
		ASSERT(runs[i]);
		for (size_t at = 0; at < RUN_BYTES; at += PAGE_SIZE)
			*(size_t *)(void *)(runs[i] + at) = i + 1;
	}
	for (unsigned int i = 0; i < NR_RUNS; i += 2)
		kfree(runs[i]);
}

static void expect_rest_whole(void)
{
	for (unsigned int i = 1; i < NR_RUNS; i += 2)
		for (size_t at = 0; at < RUN_BYTES; at += PAGE_SIZE)
			ASSERT_EQ(*(size_t *)(void *)(runs[i] + at), i + 1);
	expect_valid();
}

static bool is_outside(const void *block)
{
	return virt_to_pfn(block) >= mm_map.nr_pages;
}

/* Pages that hold what a freed run did. */
static size_t count_marked(const char *block, size_t bytes)
{
	size_t count = 0;

	for (size_t at = 0; at < bytes; at += PAGE_SIZE)
		count += *(const size_t *)(const void *)(block + at) % 2;
	return count;
}

ISOLATED_TEST(frames_are_gathered_outside)
{
	struct kmalloc_usage usage;
	char *block;

	heap_up_scattered("stitch=mremap");
	block = kmalloc(MIB(20));
	EXPECT(is_outside(block));
	EXPECT_EQ(ksize(block), MIB(20));
	EXPECT_EQ(count_marked(block, MIB(20)), MIB(20) / PAGE_SIZE);
	EXPECT_EQ(gather_counts.requests, 1);
	EXPECT_EQ(gather_counts.pages, MIB(20) / PAGE_SIZE);
	EXPECT_EQ(gather_counts.runs, os_fake_calls(OS_CALL_MOVE_OUT));
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE), 0);
	kmalloc_usage_read(&usage);
	EXPECT_EQ(usage.mapped_live, MIB(20));
	EXPECT(usage.mapped_maps > gather_counts.runs);
	EXPECT_EQ(usage.free_resident, MIB(20)); /* of 40 */
	expect_rest_whole();
}

/* What was moved out of the heap is a hole there. */
ISOLATED_TEST(what_is_left_behind_is_zero)
{
	char *block;

	heap_up_scattered("stitch=mremap");
	ASSERT(is_outside(kmalloc(MIB(30))));
	for (unsigned int i = 0; i < 40; i++) {
		block = kzalloc(RUN_BYTES);
		for (size_t at = 0; at < RUN_BYTES; at++)
			ASSERT_EQ(block[at], 0);
	}
	expect_rest_whole();
}

ISOLATED_TEST(blocks_of_other_sizes_stay_in_the_heap)
{
	heap_up_scattered("stitch=mremap");
	EXPECT(!is_outside(kmalloc(MIB(2))));
	EXPECT(is_outside(kmalloc(MIB(2) + 1)));
	EXPECT(!is_outside(kzalloc(MIB(3)))); /* it would have to be cleared */
	EXPECT(!is_outside(kmalloc(MIB(64) + 1)));
	expect_rest_whole();
}

ISOLATED_TEST(a_place_with_frames_in_the_heap_is_better)
{
	char *area;

	heap_up_scattered("stitch=mremap");
	area = kzalloc(MIB(12));
	memset(area, 1, MIB(12));
	kfree(area);
	EXPECT_EQ(kmalloc(MIB(12)), area);
	EXPECT_EQ(gather_counts.requests, 0);
}

ISOLATED_TEST(freed_ones_serve_again_and_are_added_to)
{
	unsigned int nr_calls;
	char *block;

	heap_up_scattered("stitch=mremap");
	block = kmalloc(MIB(20));
	kfree(block);
	nr_calls = os_fake_calls(OS_CALL_MOVE_OUT);
	EXPECT_EQ(kmalloc(MIB(18)), block);
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE_OUT), nr_calls);
	kfree(block);
	EXPECT(kmalloc(MIB(3)) != block); /* it would keep too many frames from others */
	EXPECT_EQ(kmalloc(MIB(29)), block);
	EXPECT_EQ(gather_counts.pages, MIB(32) / PAGE_SIZE);
	EXPECT_EQ(count_marked(block, MIB(29)), MIB(29) / PAGE_SIZE);
	kfree(block);
	EXPECT(kmalloc_trim());
	EXPECT_EQ(owner_of(block).kind, OWNER_FOREIGN);
	expect_rest_whole();
}

/* In its address space; beyond it is copied, since it is many mappings. */
ISOLATED_TEST(they_grow_and_shrink)
{
	char *block, *moved;

	heap_up_scattered("stitch=mremap");
	block = kmalloc(MIB(20));
	memset(block, 5, MIB(20));
	EXPECT_EQ(krealloc(block, MIB(60)), block);
	EXPECT_EQ(krealloc(block, MIB(3)), block);
	EXPECT_EQ(ksize(block), MIB(3));
	EXPECT_EQ(krealloc(block, MIB(20)), block);
	memset(block, 6, MIB(20));
	moved = krealloc(block, MIB(80));
	EXPECT(moved && moved != block);
	for (size_t i = 0; i < MIB(20); i += 1000)
		ASSERT_EQ(moved[i], 6);
	block = kmalloc(MIB(10));
	memset(block, 7, MIB(10));
	moved = krealloc(block, MIB(1));
	EXPECT(!is_outside(moved));
	EXPECT_EQ(moved[MIB(1) - 1], 7);
	expect_rest_whole();
}

/* Nothing grows by it: what is missing is dropped elsewhere. */
ISOLATED_TEST(what_is_missing_is_made_up_for)
{
	struct kmalloc_usage usage;
	char *block;

	heap_up_scattered("stitch=mremap");
	block = kmalloc(MIB(44));
	EXPECT(is_outside(block));
	kmalloc_usage_read(&usage);
	EXPECT(usage.free_resident <= MIB(7)); /* the reserve for small ones */
	expect_rest_whole();
}

ISOLATED_TEST(too_few_frames_leave_it_to_the_heap)
{
	heap_up_scattered("stitch=mremap");
	EXPECT(is_outside(kmalloc(MIB(30))));
	EXPECT(!is_outside(kmalloc(MIB(30))));
	expect_rest_whole();
}

ISOLATED_TEST(mappings_have_a_budget)
{
	char *block;

	heap_up("stitch=mremap"); /* resets the fake */
	os_fake_file_set("/proc/sys/vm/max_map_count", "160\n");
	for (unsigned int i = 0; i < NR_RUNS; i++)
		runs[i] = memset(kmalloc(RUN_BYTES), 1, RUN_BYTES);
	for (unsigned int i = 0; i < NR_RUNS; i += 2)
		kfree(runs[i]);
	block = kmalloc(MIB(9));
	EXPECT(is_outside(block));
	EXPECT(gather_counts.runs <= 20);
	EXPECT(kmalloc(MIB(30)) != NULL);
	EXPECT(gather_counts.runs <= 20);
	EXPECT(gather_counts.no_maps > 0);
	expect_valid();
}

/* What is kept for others is dissolved when there are too many. */
ISOLATED_TEST(what_is_kept_gives_way)
{
	struct mapping_counts counts;
	char *small, *large;

	heap_up_scattered("stitch=mremap");
	os_fake_file_set("/proc/sys/vm/max_map_count", "416\n"); /* 52 */
	small = kmalloc(MIB(5));
	large = kmalloc(MIB(20));
	ASSERT(is_outside(small) && is_outside(large));
	kfree(small);
	kfree(large);
	mapping_count(&counts);
	EXPECT_EQ(counts.nr_cached, 2);
	EXPECT_EQ(counts.nr_maps, 2 + 50);
	EXPECT_EQ(kmalloc(MIB(28)), large);
	mapping_count(&counts);
	EXPECT_EQ(counts.nr_cached, 0);
	EXPECT(counts.nr_maps <= 52);
	EXPECT(gather_counts.pages > MIB(28) / PAGE_SIZE);
	expect_rest_whole();
}

/* Kernels before 5.7; no mapping to spare. */
ISOLATED_TEST(where_nothing_can_be_moved_out_the_heap_serves)
{
	heap_up_scattered("stitch=mremap");
	os_fake_feature(OS_FEATURE_MOVE_OUT, false);
	EXPECT(!is_outside(kmalloc(MIB(20))));
	EXPECT_EQ(gather_counts.pages, 0);
	EXPECT(stitch_counts.purged > 0);
	expect_rest_whole();
}

/* A move that fails unmaps where it should have gone: that is mapped again. */
ISOLATED_TEST(half_of_it_is_enough_when_the_kernel_refuses)
{
	char *block;

	heap_up_scattered("stitch=mremap");
	os_fake_move_out_unmaps(true);
	os_fake_fail(OS_CALL_MOVE_OUT, 12, UINT_MAX, EFAULT);
	block = kmalloc(MIB(8));
	EXPECT(is_outside(block));
	EXPECT(count_marked(block, MIB(8)) >= 11 * RUN_BYTES / PAGE_SIZE);
	memset(block, 1, MIB(8));
	EXPECT_EQ(krealloc(block, MIB(64)), block);
	memset(block, 1, MIB(64));
	expect_rest_whole();
}

/* As with too many mappings: nothing has been unmapped, and nothing has to be mapped again. */
ISOLATED_TEST(half_of_it_is_enough_when_the_kernel_refuses_at_once)
{
	char *block;

	heap_up_scattered("stitch=mremap");
	os_fake_fail(OS_CALL_MOVE_OUT, 12, UINT_MAX, ENOMEM);
	block = kmalloc(MIB(8));
	EXPECT(is_outside(block));
	EXPECT(count_marked(block, MIB(8)) >= 11 * RUN_BYTES / PAGE_SIZE);
	EXPECT_EQ(os_fake_calls(OS_CALL_MAP_AT), 0);
	memset(block, 1, MIB(8));
	expect_rest_whole();
}

/* Also in a mapping that was kept with frames: there is no hole in what is handed out. */
static void expect_no_holes(unsigned int nth_failure, enum os_call also, int error)
{
	char *block;

	heap_up_scattered("stitch=mremap");
	block = kmalloc(MIB(8));
	ASSERT(is_outside(block));
	kfree(block);
	os_fake_move_out_unmaps(true);
	os_fake_fail(OS_CALL_MOVE_OUT, nth_failure, UINT_MAX, ENOMEM);
	if (also)
		os_fake_fail(also, 1, UINT_MAX, error);
	block = kmalloc(MIB(14));
	ASSERT(block);
	memset(block, 1, MIB(14));
	kfree(block);
	memset(kmalloc(MIB(9)), 1, MIB(9));
	expect_rest_whole();
}

ISOLATED_TEST(a_hole_is_filled)
{
	expect_no_holes(3, OS_CALL_ANY, 0);
}

ISOLATED_TEST(with_a_hole_that_cannot_be_filled_the_block_is_given_up)
{
	expect_no_holes(3, OS_CALL_MAP_AT, ENOMEM);
	EXPECT(os_fake_calls(OS_CALL_MAP_AT) > 0);
}

ISOLATED_TEST(also_where_somebody_else_has_filled_it)
{
	expect_no_holes(1, OS_CALL_MAP_AT, EEXIST);
}

ISOLATED_TEST(locked_memory_stays_where_it_is)
{
	heap_up_scattered("stitch=mremap");
	os_fake_feature(OS_FEATURE_NOT_LOCKED, false);
	EXPECT(!is_outside(kmalloc(MIB(20))));
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE_OUT), 0);
	expect_rest_whole();
}

ISOLATED_TEST(no_address_space_leaves_it_to_the_heap)
{
	heap_up_scattered("stitch=mremap");
	os_fake_fail(OS_CALL_MAP, 1, UINT_MAX, ENOMEM);
	EXPECT(!is_outside(kmalloc(MIB(20))));
	expect_rest_whole();
}

/* By default: only where there is no mover, and no filter. */
ISOLATED_TEST(it_is_the_next_best)
{
	heap_up_scattered("");
	EXPECT(!is_outside(kmalloc(MIB(10))));
	EXPECT(stitch_counts.pages > 0);
	EXPECT_EQ(gather_counts.requests, 0);
}

ISOLATED_TEST(without_a_mover_it_is_what_is_done)
{
	heap_up_scattered("");
	os_fake_feature(OS_FEATURE_MOVE, false);
	EXPECT(!is_outside(kmalloc(MIB(5)))); /* finds out */
	EXPECT(mover_error());
	EXPECT(is_outside(kmalloc(MIB(10))));
	expect_rest_whole();
}

ISOLATED_TEST(under_a_filter_nothing_is_tried)
{
	heap_up_scattered("");
	os_fake_feature(OS_FEATURE_NO_FILTER, false);
	os_fake_feature(OS_FEATURE_MOVE, false);
	EXPECT(!is_outside(kmalloc(MIB(5))));
	EXPECT(!is_outside(kmalloc(MIB(10))));
	EXPECT_EQ(os_fake_calls(OS_CALL_MOVE_OUT), 0);
	EXPECT(stitch_counts.purged > 0);
}

ISOLATED_TEST(what_is_dearer_than_faults_is_left)
{
	heap_up_scattered("");
	os_fake_feature(OS_FEATURE_MOVE, false);
	kmalloc(MIB(5));
	stitch_costs.remap = (struct cost){ .ns = 4000000000, .nr_measured = 8 };
	EXPECT(!is_outside(kmalloc(MIB(10))));
	EXPECT_EQ(gather_counts.requests, 0);
}

RUN_TESTS
