/*
 * test_emergency.c - objects of any size and alignment, cut without locks, each freed once, and
 * memory that is used again.
 */
#include <pthread.h>

#include "kunit.h"
#include "isolated.h"
#include "emergency_test.h"

#define NR_THREADS 4u

static void free_once(void *object)
{
	EXPECT(emergency_free(object));
	EXPECT_EQ(emergency_size(object), 0);
	EXPECT(!emergency_free(object));
}

static void expect_one(size_t bytes, size_t align)
{
	char *object = emergency_alloc(bytes, align);
	size_t usable;

	ASSERT(object);
	EXPECT_EQ((uintptr_t)object % align, 0);
	EXPECT(emergency_contains(object));
	usable = emergency_size(object);
	EXPECT(usable >= bytes && usable > 0 && usable < bytes + 17);
	EXPECT_EQ(emergency_live(), usable);
	EXPECT(emergency_contains(object + usable - 1));
	object[0] = object[usable - 1] = 1;
	if (bytes < MIB(1))
		fill(object, usable, 0xff);
	EXPECT_EQ(emergency_size(object), usable);
	free_once(object);
	EXPECT_EQ(emergency_live(), 0);
}

ISOLATED_TEST(every_size_with_every_alignment)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 100, 4096, KIB(16) - 80, KIB(16) - 16,
					KIB(16), KIB(16) + 1, KIB(64) - 80, KIB(64) - 79, KIB(64),
					MIB(1), MIB(2) - 80, MIB(2), MIB(64) };

	part_up(GIB(1));
	for (size_t align = 16; align <= MIB(8); align *= 2)
		for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
			expect_one(sizes[i], align);
	expect_one(MIB(128), MIB(128));
}

/* Whatever lies side by side: nothing overlaps. */
ISOLATED_TEST(objects_keep_their_contents)
{
	static struct { char *at; size_t bytes; } objects[2000];
	uint64_t random = kunit_seed();

	part_up(GIB(1));
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++) {
		size_t bytes = kunit_below(&random, (size_t)1 << kunit_below(&random, 17));

		objects[i].at = emergency_alloc(bytes, (size_t)16 << kunit_below(&random, 13));
		ASSERT(objects[i].at);
		objects[i].bytes = emergency_size(objects[i].at);
		fill(objects[i].at, objects[i].bytes, (unsigned char)i);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++) {
		EXPECT_EQ(emergency_size(objects[i].at), objects[i].bytes);
		EXPECT(is_filled(objects[i].at, objects[i].bytes, (unsigned char)i));
		free_once(objects[i].at);
	}
	EXPECT_EQ(emergency_live(), 0);
}

/* --- what is no object ------------------------------------------------------------------------ */

static void expect_no_object(const char *address)
{
	EXPECT_EQ(emergency_size(address), 0);
	EXPECT(!emergency_free((void *)(uintptr_t)address));
}

static void expect_no_other_object(char *object)
{
	size_t usable = emergency_size(object);

	fill(object, usable, 0x55);
	for (size_t offset = 1; offset < usable + 16; offset++)
		expect_no_object(object + offset);
	for (size_t offset = 1; offset < 16; offset++)
		expect_no_object(object - offset);
	EXPECT(emergency_free(object));
}

ISOLATED_TEST(only_starts_of_live_objects_are_objects)
{
	part_up(MIB(1));
	for (size_t offset = 0; offset < 2 * CHUNK; offset++)
		expect_no_object(part_start + offset); /* nothing is open yet */
	expect_no_object(part_start + MIB(1) - 16);
	expect_no_other_object(emergency_alloc(200, 16));
	expect_no_other_object(emergency_alloc(200, 4096));
	expect_no_other_object(emergency_alloc(KIB(100), 16));
	expect_no_other_object(emergency_alloc(100, KIB(64)));
	for (size_t offset = 0; offset < MIB(1); offset += 8)
		expect_no_object(part_start + offset);
}

ISOLATED_TEST(the_part_has_two_ends)
{
	char outside = 0;

	EXPECT(!emergency_contains(&outside)); /* there is no part yet */
	EXPECT(!emergency_contains(NULL));
	part_up(MIB(1));
	EXPECT(!emergency_contains(part_start - 1));
	EXPECT(emergency_contains(part_start));
	EXPECT(emergency_contains(part_start + MIB(1) - 1));
	EXPECT(!emergency_contains(part_start + MIB(1)));
	EXPECT(!emergency_contains(&outside));
	EXPECT(!emergency_contains((void *)UINTPTR_MAX));
}

/* --- the end of the part ----------------------------------------------------------------------*/

/* How many objects of this size there are room for; all are freed again. */
static unsigned int capacity(size_t bytes)
{
	static void *objects[70000];
	unsigned int nr = 0;

	while (nr < ARRAY_SIZE(objects) && (objects[nr] = emergency_alloc(bytes, 16)))
		fill(objects[nr++], bytes, 3);
	for (unsigned int i = 0; i < nr; i++) {
		EXPECT(is_filled(objects[i], bytes, 3));
		EXPECT(emergency_free(objects[i]));
	}
	return nr;
}

ISOLATED_TEST(the_end_is_null_and_no_end_for_ever)
{
	unsigned int nr;

	part_up(MIB(1));
	nr = capacity(100);
	/* 112 bytes and a tag each; in every chunk a head, and less than an object at its end. */
	EXPECT_EQ(nr, MIB(1) / CHUNK * ((CHUNK - 64) / 128));
	for (unsigned int i = 0; i < 20; i++)
		EXPECT_EQ(capacity(100), nr);
	/* The first two go into what that has left of the front. */
	EXPECT_EQ(capacity(1), (MIB(1) / CHUNK - 1) * ((CHUNK - 64) / 32) + 2);
	EXPECT_EQ(capacity(KIB(15)), MIB(1) / CHUNK * 4);
	EXPECT_EQ(emergency_live(), 0);
}

ISOLATED_TEST(larger_objects_to_the_end)
{
	part_up(MIB(1));
	EXPECT_EQ(capacity(KIB(200)), 4);
	EXPECT_EQ(capacity(KIB(250)), 4);
	EXPECT(!emergency_alloc(KIB(260), 16));
	EXPECT(!emergency_alloc(100, 16)); /* blocks are not divided */
}

ISOLATED_TEST(what_no_part_has)
{
	part_up(MIB(1));
	EXPECT(!emergency_alloc(SIZE_MAX, 16));
	EXPECT(!emergency_alloc(SIZE_MAX - 100, 4096));
	EXPECT(!emergency_alloc(1, (size_t)1 << 63));
	EXPECT(!emergency_alloc((size_t)1 << 63, (size_t)1 << 63));
	EXPECT(!emergency_alloc(MIB(1), 16));
	EXPECT(!emergency_alloc(MIB(1) + 1, 16));
	EXPECT(!emergency_alloc(16, MIB(1)));
	EXPECT(!emergency_alloc(16, MIB(2)));
	EXPECT(!emergency_alloc(KIB(600), KIB(512)));
	EXPECT_EQ(os_fake_calls(OS_CALL_OPEN), 0);
	expect_one(KIB(900), 16);
}

/* Nothing, or less than a chunk, or a crooked start. */
ISOLATED_TEST(parts_that_are_hardly_any)
{
	void *address;

	EXPECT(!emergency_alloc(1, 16));
	part_up(MIB(1));
	emergency_init(part_start, 0);
	EXPECT(!emergency_alloc(1, 16));
	emergency_init(part_start, CHUNK - 4096);
	EXPECT(!emergency_alloc(1, 16));
	emergency_init(part_start + 4096, CHUNK - 4096);
	EXPECT(!emergency_alloc(1, 16));
	emergency_init(part_start + 4096, CHUNK - 8192);
	EXPECT(!emergency_alloc(1, 16));
	emergency_init(part_start + 4096, 2 * CHUNK - 4096);
	address = emergency_alloc(1, 16);
	EXPECT(address > (void *)(part_start + CHUNK));
	EXPECT(address < (void *)(part_start + 2 * CHUNK));
	EXPECT(!emergency_alloc(KIB(60), 16));
}

ISOLATED_TEST(what_cannot_be_opened_is_not_lost)
{
	part_up(4 * CHUNK);
	os_fake_fail(OS_CALL_OPEN, 1, UINT_MAX, 12 /* ENOMEM */);
	for (unsigned int i = 0; i < 10; i++) {
		EXPECT(!emergency_alloc(100, 16));
		EXPECT(!emergency_alloc(CHUNK, 16));
	}
	os_fake_fail(OS_CALL_OPEN, 0, 0, 0);
	EXPECT_EQ(capacity(KIB(60)), 4);
}

/* --- used again ------------------------------------------------------------------------------- */

ISOLATED_TEST(used_again_a_million_times)
{
	void *kept[32] = { NULL };
	uint64_t random = kunit_seed();

	part_up(MIB(4));
	for (uint64_t i = 0; i < kunit_ops(1000000); i++) {
		unsigned int at = (unsigned int)kunit_below(&random, ARRAY_SIZE(kept));

		if (kept[at])
			EXPECT(emergency_free(kept[at]));
		kept[at] = emergency_alloc(kunit_below(&random, i % 8 ? 500 : 40000), 16);
		ASSERT(kept[at]);
	}
	/* At most a chunk is held back by each, and one is the front. */
	EXPECT(os_fake_calls(OS_CALL_OPEN) <= ARRAY_SIZE(kept) + 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++)
		EXPECT(emergency_free(kept[i]));
	EXPECT_EQ(emergency_live(), 0);
}

static unsigned int nr_resident(void *start, size_t bytes)
{
	unsigned char resident[1024];
	unsigned int nr = 0;

	ASSERT(!os_mincore(start, bytes, resident));
	for (size_t i = 0; i < bytes / PAGE_SIZE; i++)
		nr += resident[i] & 1;
	return nr;
}

/* But for the heads of blocks, and the chunk from which objects are cut. */
ISOLATED_TEST(frames_go_back)
{
	static void *objects[20000];

	part_up(MIB(4));
	for (unsigned int i = 0; i < 4; i++) {
		objects[i] = emergency_alloc(KIB(500), 16);
		fill(objects[i], KIB(500), 1);
	}
	for (unsigned int i = 0; i < 4; i++)
		EXPECT(emergency_free(objects[i]));
	EXPECT_EQ(nr_resident(part_start, MIB(4)), 4);
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++) {
		objects[i] = emergency_alloc(64, 16);
		fill(objects[i], 64, 1);
	}
	EXPECT(nr_resident(part_start, MIB(4)) > 20000 * 80 / PAGE_SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		EXPECT(emergency_free(objects[i]));
	EXPECT(nr_resident(part_start, MIB(4)) <= 4 + MIB(2) / CHUNK + CHUNK / PAGE_SIZE);
}

/* Locked memory cannot be dropped. It is used again with what is in it. */
ISOLATED_TEST(frames_that_stay)
{
	unsigned int nr;

	part_up(MIB(1));
	os_fake_fail(OS_CALL_PURGE, 1, UINT_MAX, 22 /* EINVAL */);
	nr = capacity(1000);
	for (unsigned int i = 0; i < 10; i++)
		EXPECT_EQ(capacity(1000), nr);
	for (size_t offset = 0; offset < MIB(1); offset += 16)
		expect_no_object(part_start + offset);
	expect_one(1000, 64);
}

/* --- threads ---------------------------------------------------------------------------------- */

static void *exchange_mails(void *argument)
{
	uint64_t random = (uintptr_t)argument;

	for (uint64_t i = 0; i < kunit_ops(100000); i++)
		exchange_mail(&random);
	return NULL;
}

/* What one thread makes another frees; blocks come and go under all. */
ISOLATED_TEST(threads_share_chunks)
{
	pthread_t threads[NR_THREADS];

	part_up(MIB(16));
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		ASSERT(!pthread_create(&threads[i], NULL, exchange_mails,
				       (void *)(kunit_seed() + i)));
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < NR_MAILS; i++)
		mail_end(mails[i]);
	EXPECT_EQ(nr_refused, 0);
	EXPECT_EQ(emergency_live(), 0);
	EXPECT(capacity(100) > MIB(8) / 128);
}

static void *_Atomic shared_object;
static _Atomic unsigned int nr_freed;
static pthread_barrier_t round_begins;

static void *free_the_same(void *unused)
{
	for (unsigned int i = 0; i < 20000; i++) {
		pthread_barrier_wait(&round_begins);
		nr_freed += emergency_free(shared_object);
		if (pthread_barrier_wait(&round_begins) == PTHREAD_BARRIER_SERIAL_THREAD) {
			EXPECT_EQ(nr_freed, i + 1);
			shared_object = emergency_alloc(100, 16);
		}
	}
	return unused;
}

/* Two free one object at once: one of the two does. */
ISOLATED_TEST(an_object_is_freed_once)
{
	pthread_t thread;

	part_up(MIB(1));
	pthread_barrier_init(&round_begins, NULL, 2);
	shared_object = emergency_alloc(100, 16);
	ASSERT(!pthread_create(&thread, NULL, free_the_same, NULL));
	free_the_same(NULL);
	pthread_join(thread, NULL);
	EXPECT(emergency_free(shared_object));
	EXPECT_EQ(emergency_live(), 0);
}

RUN_TESTS
