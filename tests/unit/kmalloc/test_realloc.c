/*
 * test_realloc.c - resizing in place and by moving, with contents; sizes.
 */
#include <errno.h>

#include "kunit.h"
#include "isolated.h"
#include "core/hooks.h"
#include "kmalloc/owner.h"

static void fill(char *object, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		object[i] = (char)(i * 7 + i / 251);
}

static bool is_filled(const char *object, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (object[i] != (char)(i * 7 + i / 251))
			return false;
	return true;
}

/* From every size to every other, over all routes. */
ISOLATED_TEST(contents_survive)
{
	static const size_t sizes[] = { 1, 16, 17, 100, 1000, 4096, 8192, 8193, KIB(40), KIB(300),
					MIB(2), MIB(2) + 1, MIB(5), MIB(9) };

	heap_up("");
	for (unsigned int from = 0; from < ARRAY_SIZE(sizes); from++) {
		for (unsigned int to = 0; to < ARRAY_SIZE(sizes); to++) {
			char *object = kmalloc(sizes[from]);

			ASSERT(object);
			fill(object, sizes[from]);
			object = krealloc(object, sizes[to]);
			ASSERT(object);
			EXPECT(ksize(object) >= sizes[to]);
			EXPECT(is_filled(object, min_size(sizes[from], sizes[to])));
			memset(object, 0x11, sizes[to]);
			kfree(object);
		}
	}
	expect_valid();
}

ISOLATED_TEST(small_objects_stay_while_half_is_used)
{
	char *object;

	heap_up("");
	object = kmalloc(100); /* 112 */
	EXPECT_EQ(krealloc(object, 112), object);
	EXPECT_EQ(krealloc(object, 56), object);
	EXPECT(krealloc(object, 55) != object);
	object = kmalloc(112);
	EXPECT(krealloc(object, 113) != object);
	/* There is nothing smaller to move to. */
	object = kmalloc(16);
	for (size_t bytes = 16; bytes >= 1; bytes--)
		EXPECT_EQ(krealloc(object, bytes), object);
}

ISOLATED_TEST(runs_grow_and_shrink_in_place)
{
	char *run, *next;

	heap_up("");
	run = kmalloc(KIB(40));
	fill(run, KIB(40));
	EXPECT_EQ(krealloc(run, KIB(400)), run);
	EXPECT_EQ(ksize(run), KIB(400));
	EXPECT_EQ(krealloc(run, KIB(20)), run);
	EXPECT_EQ(ksize(run), KIB(20));
	EXPECT(is_filled(run, KIB(20)));
	next = kmalloc(KIB(24));
	fill(next, KIB(24));
	EXPECT_EQ(next, run + KIB(20)); /* first fit: the space is taken now */
	run = krealloc(run, KIB(24));
	EXPECT(run > next || run + KIB(24) <= next);
	EXPECT(is_filled(run, KIB(20)));
	EXPECT(is_filled(next, KIB(24)));
	EXPECT_EQ(ksize(next), KIB(24));
	expect_valid();
}

/* Pages of 12 KiB, since no class is aligned so and smaller, stay while there are as many. */
ISOLATED_TEST(small_runs_stay)
{
	char *run;

	heap_up("");
	run = kmalloc_aligned(PAGE_SIZE, KIB(12));
	fill(run, KIB(12));
	EXPECT_EQ(krealloc(run, KIB(12) - 1), run);
	EXPECT_EQ(krealloc(run, KIB(8) + 1), run);
	EXPECT_EQ(ksize(run), KIB(12));
	run = krealloc(run, KIB(8));
	EXPECT(is_filled(run, KIB(8)));
	EXPECT_EQ(ksize(run), KIB(8));
	expect_valid();
}

ISOLATED_TEST(areas_grow_and_shrink_in_place)
{
	char *area;
	struct kmalloc_usage usage;

	heap_up("");
	area = kmalloc(MIB(5));
	fill(area, MIB(5));
	EXPECT_EQ(krealloc(area, MIB(8)), area); /* within its last unit */
	EXPECT_EQ(ksize(area), MIB(8));
	EXPECT_EQ(krealloc(area, MIB(3)), area);
	kmalloc_usage_read(&usage);
	EXPECT_EQ(usage.area_live, MIB(3));
	EXPECT_EQ(usage.nr_areas, 1);
	EXPECT(is_filled(area, MIB(3)));
	EXPECT_EQ(krealloc(area, MIB(4) + 1), area);
	EXPECT(is_filled(area, MIB(3)));
	EXPECT(krealloc(area, MIB(1)) != area); /* a run now */
	kmalloc_usage_read(&usage);
	EXPECT_EQ(usage.area_live, 0);
	EXPECT_EQ(usage.run_live, MIB(1));
	expect_valid();
}

/* No memory: NULL, and the object is as it was. */
ISOLATED_TEST(failure_leaves_the_object)
{
	static const size_t sizes[] = { 500, KIB(100), MIB(3) };

	heap_up("reserve=32M");
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *object = kmalloc(sizes[i]);
		size_t usable = ksize(object);

		fill(object, sizes[i]);
		os_fake_fail(OS_CALL_MAP, 1, UINT_MAX, ENOMEM); /* nor outside the heap */
		EXPECT_EQ(krealloc(object, MIB(64)), NULL);
		EXPECT_EQ(krealloc(object, SIZE_MAX), NULL);
		EXPECT_EQ(ksize(object), usable);
		EXPECT(is_filled(object, sizes[i]));
		kfree(object);
	}
	expect_valid();
}

/* No memory for a smaller one: the object stays where it is, which is good enough. */
ISOLATED_TEST(to_less_never_fails)
{
	static const size_t sizes[] = { 5000, KIB(100), MIB(3), MIB(5) };
	char *objects[ARRAY_SIZE(sizes)];

	heap_up("reserve=32M");
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		fill(objects[i] = kmalloc(sizes[i]), sizes[i]);
	for (size_t bytes = MIB(1); bytes; bytes /= 2)
		while (kmalloc(bytes))
			;
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(krealloc(objects[i], 16), objects[i]);
		EXPECT_EQ(krealloc(objects[i], sizes[i] / 3), objects[i]);
		EXPECT(ksize(objects[i]) >= sizes[i] / 3);
		EXPECT(is_filled(objects[i], sizes[i] / 3));
	}
	EXPECT_EQ(krealloc(objects[0], MIB(20)), NULL);
	expect_valid();
}

/* Growing a byte at a time: in place nearly always. */
ISOLATED_TEST(steps)
{
	char *object;
	unsigned int nr_moves = 0;

	heap_up("");
	object = kmalloc(1);
	object[0] = 0;
	for (size_t bytes = 2; bytes < 20000; bytes++) {
		char *now = krealloc(object, bytes);

		nr_moves += now != object;
		object = now;
		object[bytes - 1] = (char)((bytes - 1) * 7 + (bytes - 1) / 251);
	}
	EXPECT(is_filled(object, 19999));
	EXPECT(nr_moves <= NR_SIZE_CLASSES + 4);
	for (size_t bytes = 19999; bytes > 0; bytes--) {
		object = krealloc(object, bytes);
		ASSERT(object[bytes - 1] == (char)((bytes - 1) * 7 + (bytes - 1) / 251));
	}
	expect_valid();
}

/* A run that has become small gives its pages back. */
ISOLATED_TEST(runs_become_objects)
{
	char *object;

	heap_up("");
	object = kmalloc(KIB(40));
	fill(object, KIB(40));
	object = krealloc(object, 100);
	EXPECT_EQ(owner_of(object).kind, OWNER_SLAB);
	EXPECT(is_filled(object, 100));
}

/* Another thread's objects are resized as one's own are. */
ISOLATED_TEST(objects_of_others)
{
	char *small, *run;

	heap_up("");
	small = kmalloc(64);
	run = kmalloc(KIB(64));
	fill(small, 64);
	fill(run, KIB(64));
	thread_switch(&slot_none);
	small = krealloc(small, 640);
	run = krealloc(run, KIB(640));
	EXPECT(is_filled(small, 64));
	EXPECT(is_filled(run, KIB(64)));
	EXPECT_EQ(pagemap_slot(owner_of(small).entry), current_slot->id);
	expect_valid();
}

RUN_TESTS
