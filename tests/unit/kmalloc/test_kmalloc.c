/*
 * test_kmalloc.c - dispatch by size, alignment, zeroes, frees of all kinds of pointers, no memory.
 */
#include "kmalloc/kmalloc.h"

#include "kunit.h"
#include "isolated.h"
#include "core/hooks.h"
#include "kmalloc/owner.h"
#include "mm/pagerun.h"

/* The edges of every route. */
static const size_t edges[] = { 0, 1, 15, 16, 17, 4096, 8191, 8192, 8193, 12288, 16383, 16384,
				16385, 20480, 20481, MIB(1), MIB(2) - 1,
				MIB(2), MIB(2) + 1, MIB(4), MIB(4) + 1, MIB(9) };

static enum owner_kind expected_kind(size_t bytes)
{
	return bytes <= KIB(16) ? OWNER_SLAB : bytes <= MIB(2) ? OWNER_RUN : OWNER_AREA;
}

ISOLATED_TEST(three_routes)
{
	heap_up("");
	for (unsigned int i = 0; i < ARRAY_SIZE(edges); i++) {
		char *object = kmalloc(edges[i]);

		ASSERT(object);
		EXPECT(is_aligned((uintptr_t)object, KMALLOC_MIN_ALIGN));
		EXPECT_EQ(owner_of(object).kind, expected_kind(edges[i]));
		EXPECT(ksize(object) >= edges[i]);
		EXPECT(edges[i] <= KIB(16) || ksize(object) < edges[i] + PAGE_SIZE);
		memset(object, 0xa5, ksize(object));
		EXPECT_EQ(ksize(object), ksize(object));
		kfree(object);
	}
	expect_valid();
}

ISOLATED_TEST(too_much_is_null)
{
	static const size_t sizes[] = { TIB(8), PTRDIFF_MAX - 4096, PTRDIFF_MAX,
					(size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096, SIZE_MAX - 15,
					SIZE_MAX };
	void *object;

	heap_up("");
	object = kmalloc(100);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(kmalloc(sizes[i]), NULL);
		EXPECT_EQ(kmalloc_slow(sizes[i]), NULL);
		EXPECT_EQ(kzalloc(sizes[i]), NULL);
		EXPECT_EQ(krealloc(object, sizes[i]), NULL);
		for (size_t align = 1; align; align <<= 1)
			EXPECT_EQ(kmalloc_aligned(align, sizes[i]), NULL);
	}
	EXPECT_EQ(kmalloc_aligned((size_t)1 << 63, 1), NULL);
	EXPECT_EQ(ksize(object), 112);
	kfree(object);
	expect_valid();
}

/* Every alignment that the reserve allows, with sizes around everything. */
ISOLATED_TEST(every_alignment)
{
	static void *objects[64 * ARRAY_SIZE(edges)];
	unsigned int nr = 0;

	heap_up("reserve=8G");
	for (size_t align = 1; align <= GIB(2); align <<= 1) {
		for (unsigned int i = 0; i < ARRAY_SIZE(edges); i++) {
			void *object = kmalloc_aligned(align, edges[i]);

			if (!object) {
				EXPECT(align >= MIB(256)); /* several of them at once */
				continue;
			}
			EXPECT(is_aligned((uintptr_t)object, max_size(align, 16)));
			ASSERT(ksize(object) >= edges[i]);
			memset(object, 0x5a, edges[i]);
			objects[nr++] = object;
		}
		/* The largest are worth little in company. */
		while (align >= MIB(64) && nr)
			kfree(objects[--nr]);
	}
	while (nr)
		kfree(objects[--nr]);
	expect_valid();
	EXPECT(kmalloc_aligned(GIB(4), 1)); /* half the reserve, and it is empty */
}

/* For sizes of classes: many of one kind, so that colours and places in the slab vary. */
ISOLATED_TEST(alignment_of_many_objects)
{
	heap_up("");
	for (size_t align = 16; align <= KIB(16); align <<= 1) {
		for (size_t bytes = 1; bytes <= 9000; bytes = bytes * 3 / 2 + 1) {
			for (unsigned int i = 0; i < 20; i++) {
				void *object = kmalloc_aligned(align, bytes);

				ASSERT(is_aligned((uintptr_t)object, align));
				ASSERT(ksize(object) >= bytes);
			}
		}
	}
}

/* --- zeroes ---------------------------------------------------------------------------------- */

static bool is_zero(const char *object, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (object[i])
			return false;
	return true;
}

static void dirty(size_t bytes)
{
	char *object = kmalloc(bytes);

	ASSERT(object);
	memset(object, 0xff, ksize(object));
	kfree(object);
}

ISOLATED_TEST(zero_after_dirty_reuse)
{
	heap_up("");
	for (unsigned int i = 0; i < ARRAY_SIZE(edges); i++) {
		char *object, *again;

		dirty(edges[i]);
		object = kzalloc(edges[i]);
		ASSERT(object);
		EXPECT(is_zero(object, edges[i]));
		memset(object, 0xff, edges[i]);
		kfree(object);
		/* A part of it, dirty in places. */
		again = kzalloc(edges[i] / 2);
		ASSERT(again);
		EXPECT(is_zero(again, edges[i] / 2));
		kfree(again);
		kmalloc_trim();
		object = kzalloc(edges[i]);
		EXPECT(is_zero(object, edges[i]));
		kfree(object);
	}
	expect_valid();
}

static void take_and_mark(size_t bytes)
{
	void *objects[24];

	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++) {
		struct page *head;

		objects[i] = kmalloc(bytes);
		head = pfn_to_page(virt_to_pfn(objects[i]));
		EXPECT_EQ(head->record.tid, 0);
		head->record.tid = 7;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		kfree(objects[i]);
}

/* First from the thread's cache of runs, then from the zone. */
ISOLATED_TEST(pages_are_handed_out_without_a_record)
{
	static const size_t sizes[] = { KIB(20), KIB(200), MIB(3) };

	heap_up("");
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		for (unsigned int round = 0; round < 4; round++) {
			take_and_mark(sizes[i]);
			if (round)
				kmalloc_drain();
		}
	expect_valid();
}

/* Fresh and dirty pages side by side in one run. */
ISOLATED_TEST(zero_across_pages_of_all_kinds)
{
	char *runs[8], *object;

	heap_up("");
	for (unsigned int i = 0; i < 8; i++)
		runs[i] = kmalloc(KIB(64));
	for (unsigned int i = 0; i < 8; i += 2)
		memset(runs[i], 0xee, KIB(64));
	kmalloc_trim();
	for (unsigned int i = 0; i < 8; i++)
		kfree(runs[i]);
	object = kzalloc(KIB(512));
	EXPECT(is_zero(object, KIB(512)));
	memset(object, 0xee, KIB(512));
	object = krealloc(object, KIB(20));
	runs[0] = kzalloc(KIB(490));
	EXPECT(is_zero(runs[0], KIB(490)));
	expect_valid();
}

static unsigned int count_resident(const void *object, size_t bytes)
{
	static unsigned char resident[MIB(16) / 4096];
	unsigned int nr_resident = 0;

	ASSERT(!os_mincore((void *)(uintptr_t)object, bytes, resident));
	for (size_t i = 0; i < bytes / PAGE_SIZE; i++)
		nr_resident += resident[i] & 1;
	return nr_resident;
}

ISOLATED_TEST(holes_are_not_cleared)
{
	char *run, *area;

	heap_up("");
	run = kzalloc(MIB(1));
	area = kzalloc(MIB(16));
	EXPECT_EQ(count_resident(run, MIB(1)), 0);
	EXPECT_EQ(count_resident(area, MIB(16)), 0);
	/* Nor after the kernel has said that it dropped them. */
	memset(area, 0xff, MIB(16));
	kfree(area);
	ASSERT(kmalloc_trim());
	EXPECT_EQ(kzalloc(MIB(16)), area);
	EXPECT_EQ(count_resident(area, MIB(16)), 0);
	EXPECT(is_zero(area, MIB(16)));
}

/* What a thread frees it gets again, aligned or not; what it does not get makes room. */
ISOLATED_TEST(a_long_run_is_had_again)
{
	char *first, *run, *small;

	heap_up("");
	kfree(kmalloc(8)); /* the thread has a slot now */
	first = kmalloc_aligned(64, MIB(1));
	kfree(first);
	EXPECT_EQ(kmalloc_aligned(PAGE_SIZE, MIB(1)), first);
	kfree(first);
	EXPECT_EQ(kmalloc(MIB(1)), first);
	kfree(first);
	EXPECT_EQ(zone.nr_used[USE_RUN], MIB(1) / PAGE_SIZE);
	kfree(kmalloc(MIB(3)));
	EXPECT_EQ(zone.nr_used[USE_RUN], 0);
	small = kmalloc(KIB(300)); /* in front of what is kept */
	run = kmalloc(KIB(600));
	kfree(run);
	ASSERT(run == small + KIB(300));
	EXPECT_EQ(krealloc(small, KIB(500)), small);
	expect_valid();
}

/* Whoever had them before has not touched all of them; also of a run that a thread has kept. */
ISOLATED_TEST(what_nobody_has_touched_is_not_cleared)
{
	unsigned int nr_resident;
	char *area, *run;

	heap_up("");
	kfree(kmalloc(8)); /* the thread has a slot now */
	run = kmalloc(MIB(1));
	memset(run + KIB(300), 0xff, KIB(100));
	kfree(run);
	EXPECT_EQ(kzalloc(MIB(1)), run);
	EXPECT_EQ(count_resident(run, MIB(1)), 25);
	EXPECT(is_zero(run, MIB(1)));
	area = kzalloc(MIB(16));
	for (size_t i = 0; i < MIB(16); i += 3 * PAGE_SIZE)
		area[i] = 1;
	memset(area + MIB(7), 0xff, MIB(1));
	nr_resident = count_resident(area, MIB(16));
	EXPECT(nr_resident < 2000);
	kfree(area);
	EXPECT_EQ(kzalloc(MIB(16)), area);
	EXPECT_EQ(count_resident(area, MIB(16)), nr_resident);
	EXPECT(is_zero(area, MIB(16)));
	expect_valid();
}

/* --- frees ----------------------------------------------------------------------------------- */

static void *freed, *resized;
static size_t asked;

static void foreign_free(void *object)
{
	freed = object;
}

static void *foreign_realloc(void *object, size_t bytes)
{
	resized = object;
	asked = bytes;
	return &resized;
}

static size_t foreign_usable_size(const void *object)
{
	return object == &freed ? 77 : 0;
}

ISOLATED_TEST(foreign_pointers_are_passed_on)
{
	foreign_ops = (struct foreign_ops){ foreign_free, foreign_realloc, foreign_usable_size };
	kfree(&freed); /* before the boot */
	EXPECT_EQ(freed, &freed);
	heap_up("");
	freed = NULL;
	kfree(NULL);
	EXPECT_EQ(freed, NULL);
	kfree(&freed);
	EXPECT_EQ(freed, &freed);
	EXPECT_EQ(krealloc(&freed, 5), &resized);
	EXPECT(resized == &freed && asked == 5);
	EXPECT_EQ(ksize(&freed), 77);
	EXPECT_EQ(ksize(NULL), 0);
	expect_valid();
}

/* Without foreign_ops they are bad frees (core/hooks.h). */
ISOLATED_TEST(foreign_pointers_without_a_next_allocator)
{
	heap_up("on_error=warn");
	os_fake_capture_begin();
	kfree(&freed);
	EXPECT(strstr(os_fake_capture_end(), "stitchmalloc: free(): invalid pointer 0x"));
	os_fake_capture_begin();
	EXPECT_EQ(krealloc(&freed, 5), NULL);
	EXPECT(strstr(os_fake_capture_end(), "stitchmalloc: realloc(): invalid pointer 0x"));
	os_fake_capture_begin();
	EXPECT_EQ(ksize(&freed), 0);
	EXPECT(strstr(os_fake_capture_end(), "stitchmalloc: malloc_usable_size(): invalid"));
}

static void expect_bad_free(void *object, const char *what, const char *where)
{
	char expected[256];

	snprintf(expected, sizeof(expected), "stitchmalloc: free(): %s %p (%s)\n", what, object,
		 where);
	os_fake_capture_begin();
	kfree(object);
	EXPECT_STREQ(os_fake_capture_end(), expected);
	expect_valid();
}

ISOLATED_TEST(bad_frees_of_pages_leave_the_heap_intact)
{
	static const char inside[] = "invalid pointer, inside an object:";
	static const char freed_before[] = "double free or invalid pointer";
	char *run, *area, *small;
	struct kmalloc_usage before, after;

	heap_up("on_error=warn");
	run = kmalloc(KIB(100));
	area = kmalloc(MIB(5));
	small = kmalloc(10);
	kmalloc_usage_read(&before);
	expect_bad_free(run + 1, inside, "page run");
	expect_bad_free(run + 16, inside, "page run");
	expect_bad_free(run + PAGE_SIZE, inside, "page run");
	expect_bad_free(run + KIB(100) - 1, inside, "page run");
	expect_bad_free(area + 16, inside, "area");
	expect_bad_free(area + MIB(5) - 16, inside, "area");
	expect_bad_free(run + KIB(200), freed_before, "free pages");
	expect_bad_free((void *)(mm_map.base + (mm_map.nr_pages - 3) / 2 * PAGE_SIZE),
			"invalid pointer", "heap that was never used");
	kmalloc_usage_read(&after);
	EXPECT(!memcmp(&before, &after, sizeof(before)));
	kfree(run);
	kfree(area);
	expect_bad_free(run, freed_before, "free pages");
	expect_bad_free(area, freed_before, "free pages");
	kfree(small);
}

ISOLATED_TEST(bad_frees_ignored)
{
	char *run;

	heap_up("on_error=ignore");
	run = kmalloc(KIB(100));
	os_fake_capture_begin();
	kfree(run + PAGE_SIZE);
	kfree(run);
	kfree(run);
	EXPECT_EQ(krealloc(run, 10), NULL);
	EXPECT_EQ(ksize(run), 0);
	EXPECT_STREQ(os_fake_capture_end(), "");
	expect_valid();
}

ISOLATED_TEST(bad_frees_kill)
{
	char *run, *area;

	heap_up("");
	run = kmalloc(KIB(100));
	area = kmalloc(MIB(3));
	EXPECT_DEATH(kfree(run + PAGE_SIZE), "inside an object: 0x");
	EXPECT_DEATH((kfree(area), kfree(area)), "free(): double free or invalid pointer 0x");
	EXPECT_DEATH(krealloc(run + 16, 10), "realloc(): invalid pointer, inside an object: 0x");
	EXPECT_DEATH(ksize(area + 16), "malloc_usable_size(): invalid pointer, inside");
}

/* --- no memory ------------------------------------------------------------------------------- */

/* Until the reserve is full, with each route; then everything back, and again. */
ISOLATED_TEST(exhaustion_is_null_and_passes)
{
	static const size_t sizes[] = { 100, 8000, KIB(20), KIB(500), MIB(3) };
	static void *objects[400000];

	heap_up("reserve=32M");
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
			unsigned int nr = 0;

			while ((objects[nr] = kmalloc(sizes[i])))
				*(size_t *)objects[nr++] = sizes[i];
			EXPECT(nr * sizes[i] > MIB(13));
			EXPECT_EQ(kzalloc(sizes[i]), NULL);
			expect_valid();
			while (nr) {
				EXPECT_EQ(*(size_t *)objects[--nr], sizes[i]);
				kfree(objects[nr]);
			}
			kmalloc_trim();
			expect_valid();
		}
	}
}

/* Each single call that opens memory fails once: what is NULL is NULL, the rest works. */
/* Until there is no more; linked through the objects. Returns how many. */
static size_t use_up(size_t bytes, void **list)
{
	void **object;
	size_t nr;

	for (nr = 0; (object = kmalloc(bytes)); nr++) {
		*object = *list;
		*list = object;
	}
	return nr;
}

static void free_list(void **list)
{
	while (*list) {
		void **object = *list;

		*list = *object;
		kfree(object);
	}
}

/* What is kept for one size serves another when there is nothing else. */
ISOLATED_TEST(caches_are_no_reason_to_fail)
{
	static const size_t sizes[] = { 64, 1000, 8000, KIB(20), KIB(200), MIB(1) };
	void *list = NULL;
	size_t nr;

	heap_up("reserve=16M");
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (unsigned int j = 0; j < ARRAY_SIZE(sizes); j++) {
			kmalloc_trim();
			nr = use_up(sizes[i], &list);
			free_list(&list);
			EXPECT(use_up(sizes[j], &list) > 0);
			free_list(&list);
			/* One less: what was kept may have lain in the middle of a block. */
			EXPECT(use_up(sizes[i], &list) >= nr - 1);
			free_list(&list);
		}
	}
	expect_valid();
}

ISOLATED_TEST(every_open_fails_once)
{
	for (unsigned int nth = 1; nth < 40; nth++) {
		pid_t child = fork();
		int status = -1;

		if (!child) {
			unsigned int nr_null = 0;

			heap_up("reserve=64M");
			os_fake_fail(OS_CALL_OPEN, nth, 1, 12);
			for (unsigned int i = 0; i < 3000; i++) {
				size_t bytes = i % 50 ? i % 5000 : i * 997;
				char *object = kmalloc(bytes);

				nr_null += !object;
				if (object)
					memset(object, 1, bytes);
				if (i % 3)
					kfree(object);
			}
			expect_valid();
			_exit(kunit.nr_failed_checks || nr_null > 1);
		}
		waitpid(child, &status, 0);
		EXPECT_EQ(status, 0);
	}
}

RUN_TESTS
