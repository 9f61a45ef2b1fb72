/*
 * test_sized.c - sizes that the program gives with a free: what is right, what is reported.
 */
#include "kmalloc/sized.h"

#include "kunit.h"
#include "isolated.h"

static const char *report_of(const void *object, size_t align, size_t bytes, bool may_be_resized)
{
	os_fake_capture_begin();
	sized_free_check("free_sized()", object, align, bytes, may_be_resized);
	return os_fake_capture_end();
}

static void expect_wrong(const void *object, size_t align, size_t bytes, const char *where)
{
	char line[256];

	snprintf(line, sizeof(line), "stitchmalloc: free_sized(): wrong size %zu for %p (%s)\n",
		 bytes, object, where);
	EXPECT_STREQ(report_of(object, align, bytes, false), line);
}

static const size_t sizes[] = { 0,    1,    16,	  17,	100,	    112,	113,
				1000, 4095, 4096, 4097, 8191,	    8192,	8193,
				9000, 12288, 16384, 16385, 20480, MIB(1), MIB(2),
				MIB(2) + 1, MIB(9) };

/* What was asked for is right, and so is all that gives the same object. */
ISOLATED_TEST(right_sizes)
{
	heap_up("on_error=warn");
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *object = kmalloc(sizes[i]);

		EXPECT_STREQ(report_of(object, 0, sizes[i], false), "");
		EXPECT_STREQ(report_of(object, 0, ksize(object), false), "");
		kfree(object);
	}
}

ISOLATED_TEST(right_sizes_of_aligned_objects)
{
	heap_up("on_error=warn");
	for (size_t align = 1; align <= MIB(8); align *= 2)
		for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
			void *object = kmalloc_aligned(align, sizes[i]);

			EXPECT_STREQ(report_of(object, align, sizes[i], false), "");
			kfree(object);
		}
}

ISOLATED_TEST(wrong_sizes)
{
	char *object, *run, *area;

	heap_up("on_error=warn");
	object = kmalloc(100);
	expect_wrong(object, 0, 113, "kmalloc-112");
	expect_wrong(object, 0, 96, "kmalloc-112");
	expect_wrong(object, 0, 0, "kmalloc-112");
	expect_wrong(object, 0, SIZE_MAX, "kmalloc-112");
	run = kmalloc(KIB(100));
	expect_wrong(run, 0, KIB(100) + 1, "page run");
	expect_wrong(run, 0, KIB(96), "page run");
	expect_wrong(run, 0, 100, "page run");
	area = kmalloc(MIB(3));
	expect_wrong(area, 0, MIB(4), "area");
	expect_wrong(area, 0, MIB(3) - PAGE_SIZE, "area");
	/* 100 bytes at a multiple of 64 are an object of 128. */
	expect_wrong(kmalloc_aligned(64, 100), 0, 100, "kmalloc-128");
}

/* With leaks=full malloc pads objects, but not all of them are malloc's. */
ISOLATED_TEST(sizes_of_padded_objects)
{
	heap_up("on_error=warn,leaks=full");
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *padded = kmalloc(sizes[i] + 1), *aligned = kmalloc_aligned(64, sizes[i] + 1);
		void *object = kmalloc(sizes[i]);

		EXPECT_STREQ(report_of(padded, 0, sizes[i], false), "");
		EXPECT_STREQ(report_of(aligned, 64, sizes[i], false), "");
		EXPECT_STREQ(report_of(object, 0, sizes[i], false), "");
	}
	expect_wrong(kmalloc(65), 0, 48, "kmalloc-80");
	expect_wrong(kmalloc(KIB(100) + 1), 0, KIB(96), "page run");
}

/* realloc leaves an object alone while half of it is used. */
ISOLATED_TEST(sizes_after_realloc)
{
	char *object;

	heap_up("on_error=warn");
	object = krealloc(kmalloc(1000), 600);
	EXPECT_STREQ(report_of(object, 0, 600, true), "");
	expect_wrong(object, 0, 600, "kmalloc-1k");
	EXPECT(*report_of(object, 0, 100, true));
	EXPECT(*report_of(object, 0, 1025, true));
	object = krealloc(object, 100);
	EXPECT_STREQ(report_of(object, 0, 100, true), "");
	object = krealloc(kmalloc_aligned(PAGE_SIZE, KIB(12)), KIB(12) - 1);
	EXPECT_STREQ(report_of(object, 0, KIB(12) - 1, true), "");
	expect_wrong(object, 0, KIB(8), "page run");
}

ISOLATED_TEST(wrong_alignment)
{
	char *object;

	heap_up("on_error=warn");
	do
		object = kmalloc(112);
	while ((uintptr_t)object % 64 == 0);
	EXPECT(strstr(report_of(object, 64, 112, false), "wrong alignment for 0x"));
	EXPECT_STREQ(report_of(object, 16, 112, false), "");
}

/* They are reported by free, or are another allocator's. */
ISOLATED_TEST(what_is_no_object_is_left_to_free)
{
	char *object;
	int local = 0;

	EXPECT_STREQ(report_of(&local, 0, 100, false), "");
	heap_up("on_error=warn");
	object = kmalloc(100);
	EXPECT_STREQ(report_of(NULL, 0, 100, false), "");
	EXPECT_STREQ(report_of(&local, 0, 100, false), "");
	EXPECT_STREQ(report_of((void *)8, 0, 100, false), "");
	EXPECT_STREQ(report_of(object + 16, 0, 1, false), "");
	kfree(object);
	EXPECT_STREQ(report_of(object, 0, 1, false), "");
}

RUN_TESTS
