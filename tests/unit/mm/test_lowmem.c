/*
 * test_lowmem.c - the zones DMA and DMA32: chunks that are pinned, or below 4 GiB; what can fail;
 * parking; descriptors; what a child finds.
 */
#include "mm/lowmem.h"

#include <errno.h>
#include <sys/wait.h>

#include "kunit.h"
#include "isolated.h"
#include "lowmem_counts.h"
#include "core/lock.h"
#include "mm/zone.h"

static enum lowmem_answer grow(enum lowmem_zone type)
{
	return lowmem_grow(type, total_of(type));
}

static void *get(enum lowmem_zone type, size_t bytes, size_t align)
{
	void *object = lowmem_alloc(type, bytes, align, 0);

	ASSERT(object != NULL);
	return object;
}

/* --- what is in them -------------------------------------------------------------------------- */

ISOLATED_TEST(nothing_before_it_grows)
{
	heap_up("");
	for (unsigned int type = 0; type < NR_LOWMEM_ZONES; type++) {
		EXPECT_EQ(total_of(type), 0);
		EXPECT(!lowmem_alloc(type, 1, 1, 0));
	}
	EXPECT(!lowmem_contains(&mm_map) && !lowmem_free(&mm_map) && !lowmem_size(NULL));
	EXPECT(!lowmem_page_of(&mm_map) && !lowmem_page_address(&mm_map));
	EXPECT_EQ(lowmem_trim(), 0);
	EXPECT(validate_lowmem());
}

ISOLATED_TEST(dma_is_huge_and_pinned)
{
	char *object;

	heap_up("");
	EXPECT_EQ(grow(LOWMEM_DMA), LOWMEM_GROWN);
	EXPECT_EQ(os_fake_calls(OS_CALL_PIN), 1);
	EXPECT_EQ(total_of(LOWMEM_DMA), CHUNK);
	EXPECT_EQ(zone.nr_lowmem, CHUNK / PAGE_SIZE);
	object = get(LOWMEM_DMA, CHUNK, CHUNK);
	EXPECT(is_aligned((uintptr_t)object, CHUNK));
	EXPECT(!lowmem_alloc(LOWMEM_DMA, 1, 1, 0));
	EXPECT(lowmem_free(object));
	EXPECT(!lowmem_free(object));
	EXPECT(!total_of(LOWMEM_DMA32));
	EXPECT(validate_lowmem());
}

ISOLATED_TEST(dma32_is_below_4_gib)
{
	heap_up("");
	for (unsigned int i = 1; i <= 20; i++) {
		char *object;

		ASSERT_EQ(grow(LOWMEM_DMA32), LOWMEM_GROWN);
		EXPECT_EQ(total_of(LOWMEM_DMA32), i * CHUNK);
		object = get(LOWMEM_DMA32, CHUNK, CHUNK);
		memset(object, 1, CHUNK);
		EXPECT((uintptr_t)object + CHUNK <= (uintptr_t)1 << 32);
		EXPECT_EQ(lowmem_size(object), CHUNK);
	}
	EXPECT_EQ(os_fake_calls(OS_CALL_PIN), 0);
	EXPECT(validate_lowmem());
}

/* Where something else is there already. */
ISOLATED_TEST(dma32_finds_another_place)
{
	heap_up("");
	os_fake_fail(OS_CALL_RESERVE, 1, 7, EEXIST);
	EXPECT_EQ(grow(LOWMEM_DMA32), LOWMEM_GROWN);
	EXPECT((uintptr_t)get(LOWMEM_DMA32, 1, 1) < (uintptr_t)1 << 32);
}

ISOLATED_TEST(who_comes_second_does_not_grow_it)
{
	heap_up("");
	EXPECT_EQ(lowmem_grow(LOWMEM_DMA32, 0), LOWMEM_GROWN);
	EXPECT_EQ(lowmem_grow(LOWMEM_DMA32, 0), LOWMEM_GROWN);
	EXPECT_EQ(total_of(LOWMEM_DMA32), CHUNK);
}

ISOLATED_TEST(pages_have_descriptors)
{
	enum lowmem_zone types[] = { LOWMEM_DMA, LOWMEM_DMA32 };

	heap_up("");
	for (unsigned int i = 0; i < 2; i++) {
		char *chunk;

		ASSERT_EQ(grow(types[i]), LOWMEM_GROWN);
		ASSERT_EQ(grow(types[i]), LOWMEM_GROWN);
		chunk = get(types[i], CHUNK, CHUNK);
		for (size_t at = 0; at < 2 * CHUNK; at += PAGE_SIZE) {
			const char *page = lowmem_page_of(chunk + at);

			ASSERT_EQ(lowmem_page_address(page), chunk + at);
			ASSERT_EQ(lowmem_page_of(chunk + at + PAGE_SIZE - 1), page);
			ASSERT(!lowmem_page_address(page + 8));
		}
		EXPECT(!lowmem_page_of(chunk - 1) && !lowmem_page_of(chunk + 2 * CHUNK));
	}
}

/* --- what can fail ---------------------------------------------------------------------------- */

/* Nothing is kept, and it works once the reason is gone. */
static void expect_failure(enum lowmem_zone type, enum lowmem_answer answer)
{
	EXPECT_EQ(grow(type), answer);
	EXPECT_EQ(total_of(type), 0);
	EXPECT_EQ(zone.nr_lowmem, 0);
	EXPECT(validate_lowmem());
}

ISOLATED_TEST(no_huge_page)
{
	heap_up("");
	os_fake_feature(OS_FEATURE_HUGE_PAGES, false);
	expect_failure(LOWMEM_DMA, LOWMEM_NO_HUGE_PAGE);
	EXPECT_EQ(os_fake_calls(OS_CALL_PIN), 0);
	os_fake_feature(OS_FEATURE_HUGE_PAGES, true);
	os_fake_feature(OS_FEATURE_MINCORE, false);
	expect_failure(LOWMEM_DMA, LOWMEM_NO_HUGE_PAGE);
	os_fake_feature(OS_FEATURE_MINCORE, true);
	EXPECT_EQ(grow(LOWMEM_DMA), LOWMEM_GROWN);
}

ISOLATED_TEST(it_may_not_be_pinned)
{
	heap_up("");
	os_fake_fail(OS_CALL_PIN, 1, 1, EPERM);
	expect_failure(LOWMEM_DMA, LOWMEM_NOT_PINNED);
	EXPECT_EQ(grow(LOWMEM_DMA), LOWMEM_GROWN);
	EXPECT(validate_lowmem());
}

ISOLATED_TEST(children_cannot_be_kept_off)
{
	heap_up("");
	os_fake_fail(OS_CALL_WIPE_ON_FORK, 1, 1, EINVAL);
	expect_failure(LOWMEM_DMA, LOWMEM_NOT_WIPED);
	EXPECT_EQ(grow(LOWMEM_DMA32), LOWMEM_GROWN);
}

ISOLATED_TEST(an_old_kernel_has_no_dma)
{
	static const char *environment[] = { NULL };

	os_fake_reset();
	os_fake_start_set(environment, false);
	os_fake_feature(OS_FEATURE_WIPE_ON_FORK, false);
	ASSERT(mm_init());
	ASSERT(!mm_map.process);
	expect_failure(LOWMEM_DMA, LOWMEM_NOT_WIPED);
	EXPECT_EQ(grow(LOWMEM_DMA32), LOWMEM_GROWN);
}

ISOLATED_TEST(no_address_space)
{
	heap_up("");
	os_fake_fail(OS_CALL_RESERVE, 1, UINT_MAX, ENOMEM);
	expect_failure(LOWMEM_DMA, LOWMEM_FULL);
	expect_failure(LOWMEM_DMA32, LOWMEM_FULL);
	os_fake_fail(OS_CALL_RESERVE, 0, 0, 0);
	EXPECT_EQ(grow(LOWMEM_DMA), LOWMEM_GROWN);
	EXPECT_EQ(grow(LOWMEM_DMA32), LOWMEM_GROWN);
}

/* The section's own part, then its first chunk. */
ISOLATED_TEST(no_memory)
{
	heap_up("");
	for (unsigned int nth = 1; nth <= 2; nth++) {
		os_fake_fail(OS_CALL_OPEN, nth, 1, ENOMEM);
		expect_failure(LOWMEM_DMA32, LOWMEM_NO_MEMORY);
	}
	EXPECT_EQ(grow(LOWMEM_DMA32), LOWMEM_GROWN);
}

/* limit= counts a chunk as a whole, whatever is in use of it. */
ISOLATED_TEST(limits_count_them)
{
	heap_up("limit=8M");
	for (unsigned int i = 0; i < 4; i++)
		EXPECT_EQ(grow(LOWMEM_DMA32), LOWMEM_GROWN);
	EXPECT_EQ(grow(LOWMEM_DMA32), LOWMEM_NO_MEMORY);
	EXPECT_EQ(grow(LOWMEM_DMA), LOWMEM_NO_MEMORY);
	EXPECT(!kmalloc(MIB(1)));
	EXPECT_EQ(lowmem_trim(), 4 * CHUNK);
	EXPECT(kmalloc(MIB(1)) != NULL);
	EXPECT(validate_lowmem());
}

/* --- parking ---------------------------------------------------------------------------------- */

static bool is_resident(void *address)
{
	unsigned char resident = 0;

	ASSERT(!os_mincore(address, PAGE_SIZE, &resident));
	return resident & 1;
}

static void expect_parked(char *chunk)
{
	EXPECT(!lowmem_size(chunk) && !lowmem_free(chunk));
	EXPECT(!lowmem_alloc(LOWMEM_DMA32, 1, 1, 0));
	EXPECT_EQ(total_of(LOWMEM_DMA32), 0);
	EXPECT(!is_resident(chunk));
	EXPECT(lowmem_contains(chunk));
	EXPECT(validate_lowmem());
}

ISOLATED_TEST(trimming_parks_what_is_free)
{
	char *chunk;

	heap_up("");
	ASSERT_EQ(grow(LOWMEM_DMA32), LOWMEM_GROWN);
	chunk = get(LOWMEM_DMA32, CHUNK, CHUNK);
	memset(chunk, 1, CHUNK);
	EXPECT_EQ(lowmem_trim(), 0);
	EXPECT(lowmem_free(chunk));
	EXPECT_EQ(lowmem_trim(), CHUNK);
	EXPECT_EQ(lowmem_trim(), 0);
	expect_parked(chunk);
	os_fake_fail(OS_CALL_OPEN, 1, 1, ENOMEM);
	EXPECT_EQ(grow(LOWMEM_DMA32), LOWMEM_NO_MEMORY);
	expect_parked(chunk);
	EXPECT_EQ(grow(LOWMEM_DMA32), LOWMEM_GROWN);
	EXPECT_EQ(get(LOWMEM_DMA32, CHUNK, CHUNK), chunk);
	EXPECT_EQ(chunk[0] | chunk[CHUNK - 1], 0);
	EXPECT(validate_lowmem());
}

ISOLATED_TEST(what_is_parked_is_not_pinned)
{
	heap_up("");
	ASSERT_EQ(grow(LOWMEM_DMA), LOWMEM_GROWN);
	EXPECT_EQ(lowmem_trim(), CHUNK);
	EXPECT_EQ(os_fake_calls(OS_CALL_UNPIN), 1);
	EXPECT_EQ(grow(LOWMEM_DMA), LOWMEM_GROWN);
	EXPECT_EQ(os_fake_calls(OS_CALL_PIN), 2);
}

/* A zone in use keeps as much as it is to have free. */
ISOLATED_TEST(trimming_leaves_the_high_mark)
{
	heap_up("");
	for (unsigned int i = 0; i < 3; i++)
		ASSERT_EQ(grow(LOWMEM_DMA32), LOWMEM_GROWN);
	get(LOWMEM_DMA32, CHUNK - PAGE_SIZE, 64);
	EXPECT_EQ(lowmem_trim(), CHUNK);
	EXPECT(free_of(LOWMEM_DMA32) >= lowmem_marks(total_of(LOWMEM_DMA32)).high);
	EXPECT_EQ(total_of(LOWMEM_DMA32), 2 * CHUNK);
	EXPECT(validate_lowmem());
}

/* The kernel's min_free_kbytes and marks: sqrt(16 x 2048) KiB is 181. */
ISOLATED_TEST(marks_are_the_kernel_s)
{
	struct lowmem_marks marks = lowmem_marks(CHUNK);

	EXPECT_EQ(marks.min, KIB(181));
	EXPECT_EQ(marks.low, KIB(181) + KIB(181) / 4);
	EXPECT_EQ(marks.high, KIB(181) + KIB(181) / 2);
	EXPECT_EQ(lowmem_marks(0).high, 0);
}

/* --- children --------------------------------------------------------------------------------- */

static char *pinned, *low;

static void in_child(void)
{
	EXPECT_EQ(pinned[0], 0);
	EXPECT_EQ(low[0], 7);
	EXPECT_EQ(lowmem_size(pinned), 128);
	EXPECT(!lowmem_alloc(LOWMEM_DMA, 1, 1, 0));
	EXPECT_EQ(total_of(LOWMEM_DMA), 0);
	EXPECT_EQ(grow(LOWMEM_DMA), LOWMEM_GROWN);
	EXPECT(lowmem_alloc(LOWMEM_DMA, 1, 1, 0) != NULL);
	EXPECT(lowmem_free(pinned) && !lowmem_free(pinned));
	EXPECT(lowmem_free(low));
	EXPECT_EQ(lowmem_page_address(lowmem_page_of(pinned)),
		  (char *)((uintptr_t)pinned & ~(uintptr_t)(PAGE_SIZE - 1)));
	EXPECT(validate_lowmem());
	_exit(kunit.nr_failed_checks != 0);
}

ISOLATED_TEST(a_child_has_a_zone_dma_of_its_own)
{
	int status = -1;
	pid_t child;

	heap_up("");
	ASSERT_EQ(grow(LOWMEM_DMA), LOWMEM_GROWN);
	ASSERT_EQ(grow(LOWMEM_DMA32), LOWMEM_GROWN);
	pinned = get(LOWMEM_DMA, 100, 1);
	low = get(LOWMEM_DMA32, 100, 1);
	pinned[0] = 7;
	low[0] = 7;
	child = fork();
	if (!child)
		in_child();
	waitpid(child, &status, 0);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(pinned[0], 7);
	EXPECT(lowmem_free(pinned) && lowmem_free(low));
	EXPECT(validate_lowmem());
}

RUN_TESTS
