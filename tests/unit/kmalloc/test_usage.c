/*
 * test_usage.c - what the heap says it holds is what the test holds; trim gives back and says so.
 */
#include "kunit.h"
#include "isolated.h"
#include "core/report.h"
#include "slab/remote.h"

static struct kmalloc_usage usage;

static void read_usage(void)
{
	kmalloc_usage_read(&usage);
}

static size_t resident_bytes(void)
{
	static unsigned char resident[MIB(1024) / 4096];
	size_t nr_pages = min_size(mm_map.nr_pages, sizeof(resident)), nr_resident = 0;

	ASSERT(!os_mincore((void *)mm_map.base, nr_pages * PAGE_SIZE, resident));
	for (size_t i = 0; i < nr_pages; i++)
		nr_resident += resident[i] & 1;
	return nr_resident * PAGE_SIZE;
}

ISOLATED_TEST(nothing_before_the_boot)
{
	os_fake_reset();
	EXPECT(!kmalloc_trim());
	read_usage();
	EXPECT_EQ(usage.reserved | usage.opened | usage.small_live | usage.small_cached |
			  usage.small_free | usage.run_live | usage.area_live | usage.peak_live,
		  0);
}

ISOLATED_TEST(empty_heap)
{
	heap_up("reserve=1G");
	read_usage();
	EXPECT_EQ(usage.reserved, GIB(1));
	EXPECT_EQ(usage.opened, 0);
	EXPECT_EQ(usage.small_live, 0);
	EXPECT_EQ(usage.nr_slots, 1);
	EXPECT_EQ(usage.nr_slots_held, 0);
	EXPECT(usage.metadata > 0 && usage.metadata < KIB(64));
}

/* Live objects exactly, wherever the free ones are: sheaf, outbox, inbox, slab. */
ISOLATED_TEST(small_objects_are_counted_exactly)
{
	static void *objects[5000];
	struct slot *first = NULL;
	size_t live = 0, total;

	heap_up("");
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++) {
		objects[i] = kmalloc(i * 8192 / ARRAY_SIZE(objects));
		live += ksize(objects[i]);
	}
	read_usage();
	EXPECT_EQ(usage.small_live, live);
	total = usage.small_live + usage.small_cached + usage.small_free;
	EXPECT(total <= zone.nr_used[USE_SLAB] * PAGE_SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++) {
		if (i == 2000) /* the rest is freed by another thread */
			first = thread_switch(&slot_none);
		if (i == 4000)
			remote_flush(current_slot);
		live -= ksize(objects[i]);
		kfree(objects[i]);
		if (i % 97 == 0) {
			read_usage();
			ASSERT_EQ(usage.small_live, live);
		}
	}
	read_usage();
	EXPECT_EQ(usage.small_live, 0);
	EXPECT(usage.small_cached > 0);
	EXPECT_EQ(usage.nr_slots_held, 2);
	EXPECT_EQ(usage.nr_slots, 3);
	for (unsigned int i = 0; i < 3; i++) {
		first = thread_switch(first);
		kmalloc_trim();
	}
	read_usage();
	EXPECT_EQ(usage.small_cached + usage.small_free, 0);
	expect_valid();
}

ISOLATED_TEST(runs_areas_and_peak)
{
	char *run, *area;

	heap_up("");
	run = kmalloc(KIB(100));
	area = kmalloc(MIB(7) + 1);
	read_usage();
	EXPECT_EQ(usage.run_live, KIB(100));
	EXPECT_EQ(usage.area_live, MIB(7) + KIB(4));
	EXPECT_EQ(usage.nr_areas, 1);
	EXPECT_EQ(usage.peak_live, KIB(104) + MIB(7));
	kfree(area);
	run = krealloc(run, KIB(16) + 1);
	read_usage();
	EXPECT_EQ(usage.run_live, KIB(20));
	EXPECT_EQ(usage.area_live, 0);
	EXPECT_EQ(usage.nr_areas, 0);
	EXPECT_EQ(usage.peak_live, KIB(104) + MIB(7)); /* still the highest */
	kfree(run);
	read_usage();
	EXPECT_EQ(usage.run_live, 0);
	EXPECT_EQ(usage.peak_live, KIB(104) + MIB(7));
	EXPECT(usage.opened >= MIB(8));
	EXPECT_EQ(usage.free_resident + usage.free_hole, usage.opened);
}

/* What is said to be resident covers what is; after trim nothing is left, and it says so. */
ISOLATED_TEST(trim_releases_and_tells)
{
	static void *objects[20000];

	heap_up("reserve=1G");
	EXPECT(!kmalloc_trim());
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++) {
		size_t bytes = i % 100 ? i % 3000 : KIB(20) + i;

		ASSERT((objects[i] = kmalloc(bytes)));
		memset(objects[i], 1, bytes);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		kfree(objects[i]);
	read_usage();
	EXPECT(usage.free_resident > MIB(10));
	EXPECT(resident_bytes() > MIB(10));
	EXPECT(kmalloc_trim());
	read_usage();
	EXPECT_EQ(usage.free_resident, 0);
	EXPECT_EQ(usage.free_hole, usage.opened);
	EXPECT_EQ(resident_bytes(), 0);
	EXPECT(!kmalloc_trim());
	expect_valid();
}

/* What other threads left, and what was borrowed, goes too. */
ISOLATED_TEST(trim_reaches_all_that_nobody_holds)
{
	static void *objects[3000];

	heap_up("reserve=1G");
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++) {
		if (i == 1000)
			thread_switch(&slot_gone);
		if (i == 2000)
			thread_switch(&slot_none);
		ASSERT((objects[i] = kmalloc(1000)));
		memset(objects[i], 1, 1000);
	}
	mm_thread_exit();
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		kfree(objects[i]);
	thread_switch(slot_by_id(2)); /* the first */
	EXPECT(kmalloc_trim());
	kmalloc_trim();
	read_usage();
	EXPECT_EQ(usage.small_cached + usage.small_free + usage.small_live, 0);
	EXPECT_EQ(resident_bytes(), 0);
	expect_valid();
}

/* The kernel refuses: nothing is released, nothing is said to be, and nothing is broken. */
ISOLATED_TEST(trim_that_is_refused)
{
	size_t free_resident;
	char *area;

	heap_up("reserve=1G");
	area = kmalloc(MIB(3));
	memset(area, 0x77, MIB(3));
	kfree(area);
	os_fake_fail(OS_CALL_ANY, 1, UINT_MAX, 22);
	read_usage();
	free_resident = usage.free_resident;
	EXPECT(!kmalloc_trim());
	read_usage();
	EXPECT_EQ(usage.free_resident, free_resident);
	os_fake_fail(OS_CALL_ANY, 0, 0, 0);
	expect_valid();
	area = kzalloc(MIB(3));
	for (size_t i = 0; i < MIB(3); i += 64)
		ASSERT(!area[i]);
	kfree(area);
	EXPECT(kmalloc_trim());
}

static char text[8192];

static int to_text(void *context, const char *piece, size_t bytes)
{
	size_t *length = context;

	ASSERT(*length + bytes < sizeof(text));
	memcpy(text + *length, piece, bytes);
	text[*length += bytes] = '\0';
	return 0;
}

ISOLATED_TEST(report_of_caches)
{
	struct report report;
	size_t length = 0, live, cached, nr_free, nr_slabs, nr_pages;
	unsigned int bytes;

	heap_up("");
	for (unsigned int i = 0; i < 10; i++)
		ASSERT(kmalloc(1000));
	report_init(&report, to_text, &length);
	kmalloc_report_caches(&report);
	EXPECT_EQ(report_finish(&report), 0);
	EXPECT(!strncmp(text, "cache ", 6));
	ASSERT_EQ(sscanf(strchr(text, '\n'), " kmalloc-1k %u %zu %zu %zu %zu %zu", &bytes, &live,
			 &cached, &nr_free, &nr_slabs, &nr_pages), 6);
	EXPECT_EQ(bytes, 1024);
	EXPECT_EQ(live, 10);
	EXPECT_EQ((live + cached + nr_free) * 1024, nr_pages * PAGE_SIZE);
	EXPECT_EQ(nr_slabs, current_slot->class[class_of(1000)].nr_slabs);
	EXPECT_EQ(strchr(strchr(text, '\n') + 1, '\n')[1], '\0'); /* no other line */
}

RUN_TESTS
