/*
 * test_reserve.c - the reserve of requests that may not wait: its depths, wrong frees, against a
 * list of what lives, by threads, to its end.
 */
#include <pthread.h>
#include <string.h>

#include "kunit.h"
#include "isolated.h"

#include "kmalloc/gate.h"
#include "kmalloc/kmalloc.h"
#include "mm/reserve.h"
#include "mm/zone.h"

static void fill(size_t bytes)
{
	gate_pass *pass = gate_enter();

	ASSERT(pass != NULL);
	ASSERT(reserve_fill(bytes));
	gate_leave(pass);
}

ISOLATED_TEST(nothing_before_it_is_filled)
{
	heap_up("");
	EXPECT(!reserve_is_filled());
	EXPECT(reserve_is_small());
	EXPECT(!reserve_alloc(1, 1, RESERVE_ALL));
	fill(0);
	EXPECT_EQ(reserve_total(), KIB(128));
	EXPECT_EQ(reserve_bytes_free(), KIB(128));
	fill(KIB(64)); /* it is never made smaller */
	EXPECT_EQ(reserve_total(), KIB(128));
	fill(MIB(3));
	EXPECT_EQ(reserve_total(), MIB(3));
	EXPECT(validate_zone());
}

/* 16 x 64 MiB of KiB: the root is 1024. */
ISOLATED_TEST(it_grows_with_the_heap)
{
	heap_up("");
	fill(0); /* opens the heap's first 4 MiB: the root of 16 x 4096 is 256 */
	EXPECT(reserve_is_small());
	fill(0);
	EXPECT_EQ(reserve_total(), KIB(256));
	EXPECT(!reserve_is_small());
	while (zone.nr_opened < MIB(64) / PAGE_SIZE)
		ASSERT(kmalloc(KIB(512)) != NULL);
	EXPECT(reserve_is_small());
	fill(0);
	EXPECT(reserve_total() >= KIB(1024));
	EXPECT(!reserve_is_small());
}

static size_t count_objects(size_t bytes, enum reserve_depth depth)
{
	size_t nr = 0;

	while (reserve_alloc(bytes, 1, depth))
		nr++;
	return nr;
}

/* The kernel's marks: half stays; three sixteenths stay; nothing. */
ISOLATED_TEST(each_depth_leaves_its_share)
{
	heap_up("");
	fill(MIB(1));
	EXPECT_EQ(count_objects(64, RESERVE_NOWAIT), MIB(1) / 2 / 64);
	EXPECT_EQ(count_objects(64, RESERVE_ATOMIC), MIB(1) * 5 / 16 / 64);
	EXPECT_EQ(count_objects(64, RESERVE_ALL), MIB(1) * 3 / 16 / 64);
	EXPECT_EQ(reserve_bytes_free(), 0);
}

ISOLATED_TEST(sizes_and_alignments)
{
	void *object;

	heap_up("");
	fill(MIB(2));
	for (size_t bytes = 1; bytes <= MIB(1); bytes = bytes * 2 + 1)
		for (size_t align = 1; align <= MIB(1); align *= 2) {
			object = reserve_alloc(bytes, align, RESERVE_ALL);
			ASSERT(object != NULL);
			EXPECT(is_aligned((uintptr_t)object, align));
			EXPECT(reserve_size(object) >= bytes);
			EXPECT(reserve_size(object) <= align_up(bytes, 64) ||
			       (bytes > 2048 || align > 2048));
			memset(object, 0xa5, bytes);
			EXPECT(reserve_free(object));
		}
	EXPECT_EQ(reserve_bytes_free(), MIB(2));
	EXPECT(!reserve_alloc(RESERVE_MAX_BYTES + 1, 1, RESERVE_ALL));
	EXPECT(!reserve_alloc(SIZE_MAX, 1, RESERVE_ALL));
	EXPECT(!reserve_alloc(1, RESERVE_MAX_BYTES * 2, RESERVE_ALL));
}

ISOLATED_TEST(wrong_frees_are_refused)
{
	char *small, *next, *large;

	heap_up("");
	fill(0);
	small = reserve_alloc(200, 1, RESERVE_ALL);
	next = reserve_alloc(64, 1, RESERVE_ALL);
	large = reserve_alloc(10000, 1, RESERVE_ALL);
	EXPECT(!reserve_free(small + 1));
	EXPECT(!reserve_free(small + 64));
	EXPECT(!reserve_free(small + 192));
	EXPECT(!reserve_free(large + 2048));
	EXPECT(!reserve_free(large + 64));
	EXPECT(!reserve_free(next + 64));
	EXPECT_EQ(reserve_size(small), 256);
	EXPECT_EQ(reserve_size(large), 10240);
	EXPECT_EQ(reserve_size(large + 2048), 0);
	EXPECT(reserve_free(small));
	EXPECT(!reserve_free(small));
	EXPECT(reserve_free(large));
	EXPECT(!reserve_free(large));
	EXPECT(!reserve_free(large + 2048));
	EXPECT(reserve_free(next));
	EXPECT_EQ(reserve_bytes_free(), reserve_total());
}

ISOLATED_TEST(interior_pointers_find_their_object)
{
	uintptr_t start;
	size_t bytes;
	char *small, *large;

	heap_up("");
	fill(0);
	small = reserve_alloc(200, 1, RESERVE_ALL);
	large = reserve_alloc(10000, 1, RESERVE_ALL);
	EXPECT(reserve_object_at((uintptr_t)small + 199, &start, &bytes));
	EXPECT_EQ(start, (uintptr_t)small);
	EXPECT_EQ(bytes, 256);
	EXPECT(reserve_object_at((uintptr_t)large + 9999, &start, &bytes));
	EXPECT_EQ(start, (uintptr_t)large);
	EXPECT_EQ(bytes, 10240);
	EXPECT(!reserve_object_at((uintptr_t)large + 10240, &start, &bytes));
}

/* --- against a map of who has each 64 bytes --------------------------------------------------- */

enum { NR_LIVE = 400, TWIN_BYTES = MIB(1) };

struct live {
	unsigned char *object;
	size_t bytes;
	unsigned char tag;
};

static void twin_check(const struct live *live)
{
	for (size_t i = 0; i < live->bytes; i++)
		ASSERT_EQ(live->object[i], live->tag);
}

static size_t random_bytes(uint64_t *random)
{
	size_t bytes = kunit_below(random, 64u << kunit_below(random, 9)) + 1;

	return kunit_below(random, 50) ? bytes : bytes * 8;
}

ISOLATED_TEST(no_object_overlaps_another)
{
	uint64_t random = kunit_seed();
	static struct live live[NR_LIVE];
	size_t used = 0;

	heap_up("");
	fill(TWIN_BYTES);
	for (unsigned int op = 0; op < 60000; op++) {
		struct live *one = &live[kunit_below(&random, NR_LIVE)];

		if (one->object) {
			twin_check(one);
			used -= reserve_size(one->object);
			ASSERT(reserve_free(one->object));
			one->object = NULL;
			continue;
		}
		one->bytes = random_bytes(&random);
		one->tag = (unsigned char)op;
		one->object = reserve_alloc(one->bytes, (size_t)1 << kunit_below(&random, 13),
					    RESERVE_ALL);
		if (!one->object)
			continue;
		memset(one->object, one->tag, one->bytes);
		used += reserve_size(one->object);
		ASSERT_EQ(reserve_bytes_free(), TWIN_BYTES - used);
	}
}

/* --- threads ---------------------------------------------------------------------------------- */

static void *worker(void *seed)
{
	uint64_t random = (uintptr_t)seed * 77 + 1;
	struct live live[32] = { 0 };

	for (unsigned int op = 0; op < 100000; op++) {
		struct live *one = &live[kunit_below(&random, 32)];

		if (one->object) {
			twin_check(one);
			ASSERT(reserve_free(one->object));
			one->object = NULL;
			continue;
		}
		one->bytes = random_bytes(&random);
		one->tag = (unsigned char)(op * 4 + (uintptr_t)seed);
		one->object = reserve_alloc(one->bytes, 1, RESERVE_ALL);
		if (one->object)
			memset(one->object, one->tag, one->bytes);
	}
	for (unsigned int i = 0; i < 32; i++)
		if (live[i].object)
			ASSERT(reserve_free(live[i].object));
	return NULL;
}

ISOLATED_TEST(threads_at_once)
{
	pthread_t threads[3];

	heap_up("");
	fill(KIB(256));
	for (uintptr_t i = 0; i < 3; i++)
		ASSERT(!pthread_create(&threads[i], NULL, worker, (void *)i));
	for (unsigned int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(reserve_bytes_free(), KIB(256));
	EXPECT_EQ(count_objects(2048, RESERVE_ALL), KIB(256) / 2048);
}

/* --- as malloc's ------------------------------------------------------------------------------ */

ISOLATED_TEST(free_and_realloc_take_such_objects)
{
	char *object, *grown;

	heap_up("");
	fill(0);
	object = reserve_alloc(100, 1, RESERVE_ATOMIC);
	EXPECT_EQ(ksize(object), 128);
	memset(object, 7, 100);
	grown = krealloc(object, 5000);
	ASSERT(grown != NULL);
	EXPECT(grown[0] == 7 && grown[99] == 7);
	EXPECT_EQ(reserve_bytes_free(), reserve_total());
	kfree(grown);
	kfree(reserve_alloc(100, 1, RESERVE_ATOMIC));
	EXPECT_EQ(reserve_bytes_free(), reserve_total());
}

RUN_TESTS
