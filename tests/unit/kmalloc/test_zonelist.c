/*
 * test_zonelist.c - requests for the zones DMA and DMA32: order, marks, lowmem_reserve, frees,
 * what the heap falls back to; by threads, and when anything fails.
 */
#include "kmalloc/zonelist.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "kunit.h"
#include "isolated.h"
#include "lowmem_counts.h"
#include "gate_test.h"
#include "kmalloc/owner.h"
#include "kmalloc/pages.h"

#define KERNEL (STITCH_GFP_KERNEL | STITCH__GFP_NOWARN)
#define DMA (KERNEL | STITCH__GFP_DMA)
#define DMA32 (KERNEL | STITCH__GFP_DMA32)
#define ATOMIC_DMA (STITCH_GFP_ATOMIC | STITCH__GFP_DMA)

static bool is_low(const void *object)
{
	return object && (uintptr_t)object < (uintptr_t)1 << 32;
}

/* --- one zone --------------------------------------------------------------------------------- */

ISOLATED_TEST(the_zone_that_was_asked_for)
{
	void *pinned, *low;

	heap_up("");
	pinned = zonelist_alloc(100, 1, DMA);
	EXPECT(pinned && !is_low(pinned));
	EXPECT_EQ(total_of(LOWMEM_DMA), CHUNK);
	low = zonelist_alloc(100, 1, DMA32);
	EXPECT(is_low(low));
	EXPECT_EQ(total_of(LOWMEM_DMA32), CHUNK);
	EXPECT_EQ(owner_of(low).kind, OWNER_LOWMEM);
	kfree(pinned);
	kfree(low);
	EXPECT_EQ(free_of(LOWMEM_DMA), CHUNK);
	EXPECT_EQ(free_of(LOWMEM_DMA32), CHUNK);
	EXPECT(validate_lowmem());
}

ISOLATED_TEST(up_to_a_chunk)
{
	char *object;

	heap_up("");
	EXPECT(!zonelist_alloc(CHUNK + 1, 1, DMA));
	EXPECT(!zonelist_alloc(1, 2 * CHUNK, DMA));
	EXPECT_EQ(total_of(LOWMEM_DMA), 0);
	object = zonelist_alloc(CHUNK, CHUNK, DMA);
	ASSERT(object != NULL);
	EXPECT_EQ(total_of(LOWMEM_DMA), 2 * CHUNK); /* and the low mark */
	memset(object, 1, CHUNK);
	kfree(object);
}

ISOLATED_TEST(zeroed_when_wanted)
{
	char *object;

	heap_up("");
	object = zonelist_alloc(5000, 1, DMA32);
	memset(object, 1, 5000);
	kfree(object);
	object = zonelist_alloc(5000, 1, DMA32 | STITCH__GFP_ZERO);
	for (unsigned int i = 0; i < 5000; i++)
		ASSERT_EQ(object[i], 0);
}

/* Fragments do not count as room. */
ISOLATED_TEST(it_grows_when_what_is_free_lies_in_pieces)
{
	void *objects[CHUNK / KIB(64)];

	heap_up("");
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		ASSERT((objects[i] = zonelist_alloc(KIB(64), KIB(64), DMA32)));
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i += 2)
		kfree(objects[i]);
	EXPECT(zonelist_alloc(CHUNK / 2, 1, DMA32) != NULL);
	EXPECT(zonelist_alloc(CHUNK, CHUNK, DMA32) != NULL);
	EXPECT(validate_lowmem());
}

/* --- marks ------------------------------------------------------------------------------------ */

static size_t how_many(size_t bytes, stitch_gfp_t flags)
{
	size_t nr = 0;

	while (zonelist_alloc(bytes, 1, flags))
		nr++;
	return nr;
}

ISOLATED_TEST(atomic_needs_a_zone_that_is_there)
{
	unsigned int nr_calls;
	void *object;

	heap_up("");
	EXPECT(!zonelist_alloc(64, 1, ATOMIC_DMA));
	kfree(zonelist_alloc(64, 1, DMA));
	nr_calls = os_fake_calls(OS_CALL_ANY);
	object = zonelist_alloc(64, 1, ATOMIC_DMA);
	EXPECT(object != NULL);
	kfree(object);
	EXPECT_EQ(os_fake_calls(OS_CALL_ANY), nr_calls);
}

/* A zone that cannot grow: who has no right to it leaves min, others some of that, or nothing. */
ISOLATED_TEST(the_min_mark_is_for_who_has_a_right_to_it)
{
	size_t min = lowmem_marks(CHUNK).min;

	heap_up("");
	kfree(zonelist_alloc(64, 1, DMA));
	os_fake_fail(OS_CALL_PIN, 1, UINT_MAX, EPERM);
	how_many(64, DMA);
	EXPECT_EQ(free_of(LOWMEM_DMA), min);
	EXPECT(!zonelist_alloc(64, 1, STITCH_GFP_NOWAIT | STITCH__GFP_DMA));
	how_many(64, DMA | STITCH__GFP_HIGH);
	EXPECT_EQ(free_of(LOWMEM_DMA), align_down(min / 2 + 63, 64));
	how_many(64, ATOMIC_DMA);
	EXPECT(free_of(LOWMEM_DMA) < min / 8 * 3 + 64 && free_of(LOWMEM_DMA) > min / 4);
	how_many(64, ATOMIC_DMA | STITCH__GFP_MEMALLOC);
	EXPECT_EQ(free_of(LOWMEM_DMA), 0);
	EXPECT_EQ(total_of(LOWMEM_DMA), CHUNK);
	EXPECT(validate_lowmem());
}

/* The reason is said once. */
ISOLATED_TEST(why_there_is_none)
{
	const char *said;

	heap_up("");
	os_fake_fail(OS_CALL_PIN, 1, UINT_MAX, EPERM);
	os_fake_capture_begin();
	EXPECT(!zonelist_alloc(1, 1, STITCH_GFP_KERNEL | STITCH__GFP_DMA));
	EXPECT(!zonelist_alloc(1, 1, STITCH_GFP_KERNEL | STITCH__GFP_DMA));
	said = os_fake_capture_end();
	EXPECT(strstr(said, "zone DMA: it cannot be pinned: raise the limit of locked memory"));
	EXPECT(!strstr(strstr(said, "zone DMA") + 1, "zone DMA"));
}

/* --- the list --------------------------------------------------------------------------------- */

ISOLATED_TEST(protection_is_a_share_of_what_is_above)
{
	size_t normal;

	heap_up("");
	ASSERT(kmalloc(MIB(512)) != NULL);
	kfree(zonelist_alloc(1, 1, DMA));
	kfree(zonelist_alloc(1, 1, DMA32));
	normal = zone.nr_opened * PAGE_SIZE;
	EXPECT_EQ(zonelist_protection(LOWMEM_DMA32, NR_LOWMEM_ZONES), normal / 256);
	EXPECT_EQ(zonelist_protection(LOWMEM_DMA, NR_LOWMEM_ZONES), 0); /* nobody falls back */
	EXPECT_EQ(zonelist_protection(LOWMEM_DMA32, LOWMEM_DMA32), 0);
	EXPECT_EQ(zonelist_protection(LOWMEM_DMA, LOWMEM_DMA), 0);
}

/* DMA32, down to its reserve, and it does not grow; never DMA. */
ISOLATED_TEST(the_heap_falls_back_to_dma32)
{
	size_t left;
	char *pages;

	heap_up("");
	kfree(kmalloc(MIB(1)));
	kfree(zonelist_alloc(1, 1, DMA));
	kfree(zonelist_alloc(1, 1, DMA32));
	os_fake_fail(OS_CALL_ANY, 1, UINT_MAX, ENOMEM);
	while (kmalloc(KIB(64)))
		;
	pages = pages_alloc(16, 16, KERNEL | STITCH__GFP_ZERO);
	EXPECT(is_low(pages));
	while (is_low(pages_alloc(16, 16, KERNEL)))
		;
	left = lowmem_marks(CHUNK).min + zonelist_protection(LOWMEM_DMA32, NR_LOWMEM_ZONES);
	EXPECT(free_of(LOWMEM_DMA32) >= left && free_of(LOWMEM_DMA32) < left + KIB(64));
	EXPECT_EQ(free_of(LOWMEM_DMA), total_of(LOWMEM_DMA));
	pages_free(pages, 16, "test");
	EXPECT(free_of(LOWMEM_DMA32) >= left + KIB(64));
	EXPECT(validate_lowmem());
}

/* What is below 4 GiB nothing else can stand for. */
ISOLATED_TEST(dma32_falls_back_to_nothing)
{
	heap_up("");
	kfree(zonelist_alloc(1, 1, DMA));
	os_fake_fail(OS_CALL_RESERVE, 1, UINT_MAX, ENOMEM);
	EXPECT(!zonelist_alloc(100, 1, DMA32));
	EXPECT(!zonelist_alloc(100, 1, STITCH_GFP_ATOMIC | STITCH__GFP_DMA32));
	EXPECT_EQ(free_of(LOWMEM_DMA), total_of(LOWMEM_DMA));
}

/* --- objects of theirs are objects ------------------------------------------------------------ */

ISOLATED_TEST(realloc_moves_them_to_the_heap)
{
	char *object, *grown;

	heap_up("");
	object = zonelist_alloc(100, 1, DMA32);
	memset(object, 9, 100);
	EXPECT_EQ(krealloc(object, 110), object); /* it fits */
	grown = krealloc(object, 5000);
	ASSERT(grown && !is_low(grown));
	for (unsigned int i = 0; i < 100; i++)
		ASSERT_EQ(grown[i], 9);
	EXPECT_EQ(free_of(LOWMEM_DMA32), CHUNK);
	kfree(grown);
}

static const char *said_of(void *object)
{
	os_fake_capture_begin();
	kfree(object);
	return os_fake_capture_end();
}

ISOLATED_TEST(wrong_frees_are_reported)
{
	char *object;

	heap_up("on_error=warn");
	object = zonelist_alloc(300, 1, DMA32);
	EXPECT(strstr(said_of(object + 64), "inside an object"));
	EXPECT(strstr(said_of(object + 1), "inside an object"));
	kfree(object);
	EXPECT(strstr(said_of(object), "double free or invalid pointer"));
	EXPECT(strstr(said_of(object), "zone DMA or DMA32"));
	os_fake_capture_begin();
	object = pages_alloc(2, 2, DMA32);
	pages_free(object, 1, "test");
	EXPECT(strstr(os_fake_capture_end(), "wrong number of pages"));
	pages_free(object, 2, "test");
	EXPECT_EQ(free_of(LOWMEM_DMA32), CHUNK);
}

/* Frees need no gate. */
ISOLATED_TEST(freed_while_another_forks)
{
	void *object;

	heap_up("");
	object = zonelist_alloc(100, 1, DMA32);
	closer_closes();
	kfree(object);
	EXPECT_EQ(free_of(LOWMEM_DMA32), CHUNK);
	EXPECT(!gate.pending);
	closer_opens();
}

/* --- threads ---------------------------------------------------------------------------------- */

static int byte_of(const void *argument)
{
	return (int)((uintptr_t)argument & 0xff);
}

static void *churn(void *argument)
{
	uint64_t random = (uintptr_t)argument;
	struct {
		unsigned char *object;
		size_t bytes;
	} held[20] = { { NULL, 0 } };

	for (unsigned int i = 0; i < kunit_ops(20000); i++) {
		unsigned int at = (unsigned int)kunit_below(&random, 20);

		if (held[at].object) {
			EXPECT_EQ(held[at].object[0], byte_of(argument));
			EXPECT_EQ(held[at].object[held[at].bytes - 1],
				  byte_of(argument));
			kfree(held[at].object);
		}
		held[at].bytes = 1 + kunit_below(&random, i % 16 ? 500 : 100000);
		held[at].object = zonelist_alloc(held[at].bytes, 1, i % 2 ? DMA : DMA32);
		if (held[at].object)
			memset(held[at].object, byte_of(argument), held[at].bytes);
		if (!kunit_below(&random, 500))
			zonelist_trim();
	}
	for (unsigned int i = 0; i < 20; i++)
		kfree(held[i].object);
	mm_thread_exit();
	return NULL;
}

/* One grows and trims what others take from. */
ISOLATED_TEST(by_threads)
{
	pthread_t threads[3];

	heap_up("");
	for (uintptr_t i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT(!pthread_create(&threads[i], NULL, churn, (void *)(kunit_seed() + i)));
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	EXPECT(validate_lowmem());
	zonelist_trim();
	EXPECT_EQ(total_of(LOWMEM_DMA) + total_of(LOWMEM_DMA32), 0);
	EXPECT_EQ(zone.nr_lowmem, 0);
}

/* Any call fails: NULL, and everything is as before; then it goes on. */
ISOLATED_TEST(any_call_may_fail)
{
	heap_up("");
	for (unsigned int nth = 1; nth < 12; nth++) {
		void *pinned, *low;

		os_fake_fail(OS_CALL_ANY, nth, 1, ENOMEM);
		pinned = zonelist_alloc(CHUNK, 1, DMA);
		low = zonelist_alloc(CHUNK, 1, DMA32);
		os_fake_fail(OS_CALL_ANY, 0, 0, 0);
		kfree(pinned);
		kfree(low);
		ASSERT(validate_lowmem());
		zonelist_trim();
		EXPECT_EQ(zone.nr_lowmem, 0);
	}
}

RUN_TESTS
