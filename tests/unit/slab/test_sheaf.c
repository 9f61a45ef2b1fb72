/*
 * test_sheaf.c - stacks of free objects: their sentinels, growth and budget, double frees, drain.
 */
#include "slab/sheaf.h"

#include "kunit.h"
#include "isolated.h"
#include "slab/barn.h"

#define BYTES 64u
#define MANY 20000u

static void *objects[MANY];

static struct slot_class *cache(size_t bytes)
{
	return &current_slot->class[class_of(bytes)];
}

static void expect_sentinels(size_t bytes)
{
	const struct slot_class *c = cache(bytes);

	if (!c->capacity)
		return;
	EXPECT_EQ(c->sheaf[0], NULL);
	EXPECT_EQ(c->sheaf[c->capacity + 1], SHEAF_END);
	for (unsigned int i = 1; i <= c->capacity; i++)
		EXPECT(c->sheaf[i] != SHEAF_END);
}

ISOLATED_TEST(last_in_first_out)
{
	void *a, *b;

	heap_up("");
	a = kmalloc(BYTES);
	b = kmalloc(BYTES);
	EXPECT(sheaf_free(a));
	EXPECT(sheaf_free(b));
	EXPECT_EQ(sheaf_alloc(BYTES), b);
	EXPECT_EQ(sheaf_alloc(BYTES - 15), a);
	EXPECT_EQ(sheaf_alloc(SIZE_CLASS_MAX_BYTES + 1), NULL);
	EXPECT_EQ(sheaf_alloc(SIZE_MAX), NULL);
}

/* Fresh objects come in ascending order. */
ISOLATED_TEST(fresh_objects_ascend)
{
	char *last, *object;

	heap_up("");
	last = kmalloc(BYTES);
	for (unsigned int i = 0; i < 7; i++) {
		object = kmalloc(BYTES);
		EXPECT_EQ(object, last + BYTES);
		last = object;
	}
}

/* With every miss answered, a sheaf doubles; its bytes and the objects stay what they should be. */
ISOLATED_TEST(sheaves_grow_with_use)
{
	unsigned int class = class_of(BYTES), capacity, last = 0;

	heap_up("sheaf_budget=16M");
	for (unsigned int round = 0; round < 10; round++) {
		for (unsigned int i = 0; i < MANY; i++)
			ASSERT((objects[i] = kmalloc(BYTES)));
		for (unsigned int i = 0; i < MANY; i++)
			kfree(objects[i]);
		capacity = cache(BYTES)->capacity;
		EXPECT(capacity >= last && is_power_of_two(capacity));
		EXPECT_EQ(current_slot->sheaf_bytes, barn_array_bytes(capacity));
		EXPECT(sheaf_count(current_slot, class) <= capacity);
		expect_sentinels(BYTES);
		last = capacity;
	}
	EXPECT_EQ(last, size_classes[class].max_cached);
	expect_valid();
}

/* Beside the budget, an eighth of the slabs that the slot ever had may go into an array. */
static void budget_bounds_growth(const char *options)
{
	size_t most_slab_bytes = 0;
	unsigned int most_capacity = 0;

	heap_up(options);
	for (unsigned int round = 0; round < 40; round++) {
		for (unsigned int i = 0; i < MANY; i++)
			ASSERT((objects[i] = kmalloc(16)));
		most_capacity = (unsigned int)max_size(most_capacity, cache(16)->capacity);
		most_slab_bytes = max_size(most_slab_bytes,
					   current_slot->nr_slab_pages * PAGE_SIZE);
		for (unsigned int i = 0; i < MANY; i++)
			kfree(objects[i]);
	}
	EXPECT_EQ(current_slot->sheaf_bytes, barn_array_bytes(cache(16)->capacity));
	EXPECT(current_slot->sheaf_bytes <= params.sheaf_budget + most_slab_bytes / 8);
	EXPECT(most_capacity > 512 && most_capacity < size_classes[0].max_cached);
	expect_valid();
}

ISOLATED_TEST(small_budget_bounds_growth)
{
	budget_bounds_growth("sheaf_budget=1K");
}

static unsigned int count(size_t bytes)
{
	return sheaf_count(current_slot, class_of(bytes));
}

/* By objects of 3000 bytes, until no sheaf has one of 4096. Returns how many. */
static unsigned int grow_until_given_up(void)
{
	unsigned int nr = 0;

	current_slot->nr_faulted_seen = zone.nr_holes_used;
	while (count(4096)) {
		ASSERT(nr < 100);
		ASSERT((objects[nr++] = kmalloc(3000)));
	}
	return nr;
}

/* Large objects in sheaves are what a growing heap takes first; small ones stay. */
ISOLATED_TEST(large_objects_are_given_up_when_the_heap_grows)
{
	unsigned int nr_grown;
	size_t nr_faulted;

	heap_up("");
	for (unsigned int i = 0; i < 8; i++)
		objects[i] = kmalloc(i % 2 ? 4096 : BYTES);
	for (unsigned int i = 0; i < 8; i++)
		kfree(objects[i]);
	EXPECT(count(4096) >= 4 && count(BYTES) >= 4);
	nr_faulted = zone.nr_holes_used;
	nr_grown = grow_until_given_up();
	EXPECT(zone.nr_holes_used >= nr_faulted + ZONE_GROWTH_PAGES);
	EXPECT_EQ(cache(4096)->nr_slabs, 0);
	EXPECT(count(BYTES) >= 4);
	while (nr_grown)
		kfree(objects[--nr_grown]);
	expect_valid();
	kmalloc_trim();
	EXPECT_EQ(zone.nr_used[USE_SLAB], 0);
}

/* So they are from a closed sheaf, which stays closed. */
ISOLATED_TEST(closed_sheaves_give_up_large_objects_too)
{
	unsigned int nr_grown, class = class_of(4096);

	heap_up("");
	for (unsigned int i = 0; i < 4; i++)
		ASSERT((objects[i] = kmalloc(4096)));
	for (unsigned int i = 0; i < 4; i++)
		kfree(objects[i]);
	kfree(kmalloc(3000));
	ASSERT(current_slot->class[class].nr_hidden == 0);
	sheaves_close_in_time(current_slot);
	ASSERT(sheaf_is_closed(current_slot, class) && count(4096));
	nr_grown = grow_until_given_up();
	EXPECT(sheaf_is_closed(current_slot, class));
	while (nr_grown)
		kfree(objects[--nr_grown]);
	expect_valid();
}

/* In its steady state a program keeps what it has. */
ISOLATED_TEST(large_objects_stay_while_the_heap_does_not_grow)
{
	heap_up("");
	for (unsigned int i = 0; i < 64; i++)
		ASSERT((objects[i] = kmalloc(4096)));
	for (unsigned int i = 0; i < 64; i++)
		kfree(objects[i]);
	kfree(kmalloc(3000));
	current_slot->nr_faulted_seen = zone.nr_holes_used;
	for (unsigned int round = 0; round < 100; round++) {
		unsigned int before = count(4096);

		for (unsigned int i = 0; i < 20; i++)
			ASSERT((objects[i] = kmalloc(3000)));
		for (unsigned int i = 0; i < 20; i++)
			kfree(objects[i]);
		ASSERT(before && count(4096) == before);
	}
}

/* What a sheaf keeps, keeps slabs: it shrinks while its thread only frees, and grows again. */
ISOLATED_TEST(a_sheaf_shrinks_in_a_phase_of_frees)
{
	static void *many[64 * 640];
	unsigned int class = class_of(BYTES);
	size_t most_slab_pages, nr = ARRAY_SIZE(many);

	heap_up("");
	for (unsigned int round = 0; round < 3; round++) {
		for (size_t i = 0; i < nr; i++)
			ASSERT((many[i] = kmalloc(BYTES)));
		EXPECT(cache(BYTES)->capacity >= 1024);
		most_slab_pages = current_slot->nr_slab_pages;
		for (unsigned int start = 0; start < 64; start++)
			for (size_t i = start; i < nr; i += 64) /* hardly two of a slab */
				kfree(many[i]);
		EXPECT_EQ(cache(BYTES)->capacity, 16);
		EXPECT_EQ(current_slot->sheaf_bytes, barn_array_bytes(16));
		EXPECT(sheaf_count(current_slot, class) <= 16);
		EXPECT(current_slot->nr_slab_pages <= most_slab_pages / 8);
		expect_sentinels(BYTES);
		expect_valid();
	}
}

/* The first array of each class is free of the budget. */
ISOLATED_TEST(first_arrays_are_free)
{
	heap_up("sheaf_budget=1K");
	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++) {
		kfree(kmalloc(size_classes[class].size));
		EXPECT(current_slot->class[class].capacity >= 8);
	}
}

#define NR_WARM 64u

/* What was freed last stays; next to go, as long as the sheaf is full, is what was before that. */
static void expect_warm_ones_kept(size_t bytes, unsigned int nr_objects)
{
	unsigned int class = class_of(bytes), nr = 0, before, kept, nr_flushed;

	for (unsigned int i = 0; i < nr_objects; i++)
		ASSERT((objects[i] = kmalloc(bytes)));
	while (sheaf_count(current_slot, class))
		ASSERT(kmalloc(bytes));
	do {
		before = sheaf_count(current_slot, class);
		kfree(objects[nr++]);
		kept = sheaf_count(current_slot, class);
	} while (nr < nr_objects && kept > before);
	EXPECT(kept <= before && kept > before / 2);
	nr_flushed = before + 1 - kept;
	for (unsigned int i = 0; i < kept; i++) {
		if (i == NR_WARM + 1) /* and the one that was freed after the flush */
			nr -= nr_flushed;
		EXPECT_EQ(kmalloc(bytes), objects[--nr]);
	}
	expect_valid();
}

ISOLATED_TEST(full_sheaf_keeps_what_is_warm)
{
	heap_up("");
	expect_warm_ones_kept(BYTES, MANY);
}

ISOLATED_TEST(full_sheaf_of_few_keeps_what_was_freed_last)
{
	heap_up("");
	expect_warm_ones_kept(4096, 100);
}

/* --- misuse ---------------------------------------------------------------------------------- */

static const char *free_report(void *object)
{
	static char text[512];

	os_fake_capture_begin();
	kfree(object);
	snprintf(text, sizeof(text), "%s", os_fake_capture_end());
	return text;
}

ISOLATED_TEST(repeated_free_of_the_top_is_seen_at_once)
{
	char expected[128];
	void *object;

	heap_up("on_error=warn");
	object = kmalloc(BYTES);
	kfree(object);
	snprintf(expected, sizeof(expected),
		 "stitchmalloc: free(): double free of %p (kmalloc-64)\n", object);
	for (unsigned int i = 0; i < 3; i++)
		EXPECT_STREQ(free_report(object), expected);
	EXPECT_EQ(kmalloc(BYTES), object);
	EXPECT(kmalloc(BYTES) != object);
	expect_valid();
}

/* Also when the sheaf is full, so that the slow path would make room first. */
ISOLATED_TEST(repeated_free_of_the_top_of_a_full_sheaf)
{
	unsigned int nr = 0;

	heap_up("on_error=warn,sheaf_budget=1K");
	for (unsigned int i = 0; i < MANY; i++)
		objects[i] = kmalloc(BYTES);
	do
		kfree(objects[nr++]);
	while (*current_slot->top[class_of(BYTES)] != SHEAF_END);
	EXPECT(strstr(free_report(objects[nr - 1]), "double free"));
	EXPECT_EQ(*current_slot->top[class_of(BYTES)], SHEAF_END);
	expect_valid();
}

/* Otherwise when the object reaches its slab. */
ISOLATED_TEST(double_free_is_seen_at_hand_back)
{
	void *a, *b;

	heap_up("on_error=warn");
	a = kmalloc(BYTES);
	b = kmalloc(BYTES);
	kfree(a);
	kfree(b);
	EXPECT_STREQ(free_report(a), "");
	os_fake_capture_begin();
	kmalloc_trim();
	EXPECT(strstr(os_fake_capture_end(), "free(): double free of 0x"));
	expect_valid();
	EXPECT_EQ(zone.nr_used[USE_SLAB], 0);
}

ISOLATED_TEST(interior_pointer_is_seen_at_hand_back)
{
	char *a, text[128];

	heap_up("on_error=warn");
	a = kmalloc(BYTES);
	EXPECT_STREQ(free_report(a + 16), "");
	snprintf(text, sizeof(text), "invalid pointer, inside an object: %p (kmalloc-64)", a + 16);
	os_fake_capture_begin();
	kmalloc_trim();
	EXPECT(strstr(os_fake_capture_end(), text));
	kfree(a);
	kmalloc_trim();
	expect_valid();
	EXPECT_EQ(zone.nr_used[USE_SLAB], 0);
}

ISOLATED_TEST(hardened_sees_all_at_once)
{
	char *a, *b;

	heap_up("on_error=warn,hardened=1");
	a = kmalloc(BYTES);
	b = kmalloc(BYTES);
	EXPECT(strstr(free_report(a + 16), "inside an object"));
	EXPECT(strstr(free_report(a + 1), "inside an object"));
	EXPECT_STREQ(free_report(a), "");
	EXPECT_STREQ(free_report(b), "");
	EXPECT(strstr(free_report(a), "double free"));
	EXPECT(strstr(free_report(b), "double free"));
	for (unsigned int i = 0; i < MANY; i++)
		ASSERT((objects[i] = kmalloc(i % 3000)));
	for (unsigned int i = 0; i < MANY; i++)
		kfree(objects[i]);
	EXPECT_EQ(slot_by_id(1)->sheaf_bytes, 0);
	expect_valid();
	kmalloc_trim();
	EXPECT_EQ(zone.nr_used[USE_SLAB], 0);
}

/* All use the shared slot: whoever frees an object finds its slab at hand. */
ISOLATED_TEST(hardened_sees_at_once_what_others_free)
{
	char *object;

	heap_up("on_error=warn,hardened=1");
	object = kmalloc(BYTES);
	for (unsigned int i = 0; i < MANY; i++)
		ASSERT((objects[i] = kmalloc(i % SIZE_CLASS_MAX_BYTES)));
	EXPECT_EQ(slot_count(), 1);
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT_EQ(pagemap_slot(pagemap_read(virt_to_pfn(objects[i]))), 1);
	EXPECT_STREQ(free_report(object), "");
	thread_switch(&slot_gone);
	EXPECT(strstr(free_report(object), "double free"));
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT_STREQ(free_report(objects[i]), "");
	EXPECT(strstr(free_report(objects[0]), "double free"));
	expect_valid();
}

/* Without sheaves, with an empty one, with one that has room, and with a full one. */
ISOLATED_TEST(misaligned_pointers_are_seen_at_once)
{
	char *object, line[128];

	heap_up("on_error=warn");
	object = kmalloc(BYTES);
	for (unsigned int i = 0; i < 2000; i++)
		ASSERT((objects[i] = kmalloc(BYTES)));
	for (unsigned int i = 0; i < 2000; i++) {
		char *inside = object + 1 + i % 15;

		EXPECT(!sheaf_free(inside));
		snprintf(line, sizeof(line), "stitchmalloc: free(): invalid pointer, inside an "
			 "object: %p (kmalloc-64)\n", inside);
		EXPECT_STREQ(free_report(inside), line);
		kfree(objects[i]);
	}
	kmalloc_trim();
	kfree(object);
	expect_valid();
}

/* Of every address in and around the heap, without one that a mistake makes. */
ISOLATED_TEST(pfns_of_objects)
{
	char *object;

	heap_up("");
	object = kmalloc(KIB(100));
	for (size_t at = 0; at < KIB(100); at++) {
		if (at % 16)
			ASSERT(object_to_pfn(object + at) >= mm_map.nr_pages);
		else
			ASSERT_EQ(object_to_pfn(object + at), virt_to_pfn(object + at));
	}
	EXPECT(object_to_pfn((void *)(mm_map.base - 16)) >= mm_map.nr_pages);
	EXPECT_EQ(object_to_pfn((void *)(mm_map.base + mm_map.nr_pages * PAGE_SIZE)),
		  mm_map.nr_pages);
	EXPECT(object_to_pfn(NULL) >= mm_map.nr_pages);
	EXPECT(object_to_pfn((void *)(UINTPTR_MAX - 15)) >= mm_map.nr_pages);
}

ISOLATED_TEST(double_free_kills)
{
	void *a, *b;

	heap_up("");
	a = kmalloc(BYTES);
	b = kmalloc(BYTES);
	kfree(a);
	EXPECT_DEATH(kfree(a), "stitchmalloc: free(): double free of 0x");
	kfree(b);
	EXPECT_DEATH((kfree(a), kmalloc_trim()), "double free of 0x");
}

/* --- no memory ------------------------------------------------------------------------------- */

/* Without sheaf arrays every call goes to the slabs, and works. */
ISOLATED_TEST(no_memory_for_arrays)
{
	unsigned int nr = 500;

	heap_up("");
	kfree(kmalloc(8192)); /* the slot and a part of the heap */
	while (memblock_alloc(CACHE_LINE))
		;
	for (unsigned int i = 0; i < nr; i++) {
		ASSERT((objects[i] = kmalloc(i)));
		memset(objects[i], (int)i, i);
		if (i)
			EXPECT(objects[i] != objects[i - 1]);
	}
	EXPECT_EQ(current_slot->class[0].capacity, 0);
	for (unsigned int i = 0; i < nr; i++)
		kfree(objects[i]);
	expect_valid();
	kmalloc_trim();
	EXPECT_EQ(zone.nr_used[USE_SLAB], 0);
}

/* An array that cannot grow serves on. */
ISOLATED_TEST(no_memory_to_grow)
{
	unsigned int capacity;

	heap_up("");
	kfree(kmalloc(BYTES));
	capacity = cache(BYTES)->capacity;
	ASSERT(capacity);
	while (memblock_alloc(CACHE_LINE))
		;
	for (unsigned int i = 0; i < MANY; i++)
		ASSERT((objects[i] = kmalloc(BYTES)));
	for (unsigned int i = 0; i < MANY; i++)
		kfree(objects[i]);
	EXPECT_EQ(cache(BYTES)->capacity, capacity);
	expect_sentinels(BYTES);
	expect_valid();
}

/* Nothing at all is to be had: NULL, and what was there before is intact. */
ISOLATED_TEST(no_memory_at_all)
{
	unsigned int nr = 0;

	heap_up("reserve=16M");
	while (nr < MANY && (objects[nr] = kmalloc(2000)))
		memset(objects[nr++], 0x5a, 2000);
	ASSERT(nr && nr < MANY);
	EXPECT_EQ(kmalloc(2000), NULL);
	for (unsigned int i = 0; i < nr; i++)
		EXPECT(((char *)objects[i])[0] == 0x5a && ((char *)objects[i])[1999] == 0x5a);
	kfree(objects[--nr]);
	EXPECT(kmalloc(2000));
	expect_valid();
}

RUN_TESTS
