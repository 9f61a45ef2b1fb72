/*
 * test_slab.c - slabs: what is taken, what is put back, colours, misuse found at hand-back.
 *
 * Objects are taken and put without sheaves. The slot is the test's own.
 */
#include "slab/slab.h"

#include "kunit.h"
#include "isolated.h"

#define MANY 1000u

static struct slot *own_slot(const char *options)
{
	struct slot *slot;

	heap_up(options);
	slot = slot_visit();
	ASSERT_EQ(slot->state, SLOT_HELD);
	return slot;
}

static struct page *slab_of(const void *object)
{
	return slab_head(pfn_to_page(virt_to_pfn(object)));
}

static unsigned int count_free(const struct slot *slot, unsigned int class)
{
	const struct page *head;
	unsigned int nr_free = 0;

	list_for_each_entry(head, &slot->class[class].partial, list)
		nr_free += slab_nr_free(head);
	return nr_free;
}

static unsigned int count_slabs(const struct slot *slot, unsigned int class)
{
	return (unsigned int)list_count_nodes(&slot->class[class].partial);
}

/* Every class: popped in ascending order, inside their slab, aligned, no two overlap. */
ISOLATED_TEST(objects_of_every_class)
{
	struct slot *slot = own_slot("");

	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++) {
		size_t align = size_class_align(&size_classes[class]);
		size_t size = size_classes[class].size;
		void *objects[256];
		unsigned int nr = slab_take_bulk(slot, class, objects, 256);

		ASSERT(nr > 0 && nr <= 256);
		for (unsigned int i = 0; i < nr; i++) {
			char *object = objects[i];
			struct page *head = slab_of(object);
			char *slab = page_address(head);

			EXPECT(i == nr - 1 || object >= (char *)objects[i + 1] + size);
			EXPECT(is_aligned((uintptr_t)object, align));
			EXPECT(object >= slab);
			EXPECT(object + size <= slab + (PAGE_SIZE << head->order));
			EXPECT_EQ(pagemap_read(virt_to_pfn(object)), slot->tag | class);
			memset(object, 0xa5, size);
		}
		ASSERT(validate_slabs(slot));
		slab_put_bulk(slot, class, objects, nr);
		EXPECT_EQ(count_free(slot, class), nr);
		ASSERT(validate_slabs(slot));
	}
	expect_valid();
}

/* Slabs of a class that is much used, of growing order: each start shifts, alignment stays. */
ISOLATED_TEST(colours_differ_and_keep_alignment)
{
	struct slot *slot = own_slot("reserve=512M");

	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++) {
		size_t align = size_class_align(&size_classes[class]);
		size_t step = max_size(align, CACHE_LINE), spare = 0;
		size_t last = SIZE_MAX;
		unsigned int nr_shifted = 0, nr_slabs = 0;

		while (nr_slabs < 40) {
			void *objects[256];
			unsigned int nr = slab_take_bulk(slot, class, objects, 256);
			struct page *head = slab_of(objects[0]);
			size_t colour = head->colour;

			ASSERT(nr);
			for (unsigned int i = 0; i < nr; i++)
				ASSERT(is_aligned((uintptr_t)objects[i], align));
			if (head->order == size_classes[class].max_order) {
				spare = (PAGE_SIZE << head->order) -
					head->nr_objects * (size_t)size_classes[class].size;
				EXPECT(colour <= spare && colour % step == 0);
				nr_shifted += last != SIZE_MAX && colour != last;
				last = colour;
			}
			nr_slabs += last != SIZE_MAX;
		}
		EXPECT(spare < step ? nr_shifted == 0 : nr_shifted > 0);
	}
	ASSERT(validate_slabs(slot));
}

/* One slab after the other; returns how many before the largest order. */
static unsigned int slabs_below_largest(struct slot *slot, unsigned int class)
{
	unsigned int last = size_classes[class].min_order, largest = size_classes[class].max_order;
	unsigned int nr_below = 0;
	void *objects[256];

	while (last < largest) {
		struct page *head;

		ASSERT(slab_take_bulk(slot, class, objects, 256));
		head = slab_of(objects[0]);
		EXPECT(nr_below || head->order == last);
		EXPECT(head->order >= last && head->order <= largest);
		last = head->order;
		nr_below += last < largest;
	}
	EXPECT_EQ(slot->class[class].nr_slabs, nr_below + 1);
	return nr_below;
}

/* The orders begin at the class's smallest and grow with the number of slabs. */
ISOLATED_TEST(orders_grow_with_use)
{
	struct slot *slot = own_slot("");

	EXPECT_EQ(slabs_below_largest(slot, class_of(512)), 4 * 15);
	EXPECT_EQ(slabs_below_largest(slot, class_of(1024)), 4 * 15);
	EXPECT_EQ(slabs_below_largest(slot, class_of(2048)), 16 * 15);
	ASSERT(validate_slabs(slot));
}

/* Take two slabs of 32 KiB. */
static void take_two_slabs(struct slot *slot, size_t bytes)
{
	unsigned int class = class_of(bytes), nr = (unsigned int)(KIB(32) / bytes);
	void *objects[8];

	ASSERT_EQ(size_classes[class].min_order, 3);
	for (unsigned int i = 0; i < 2; i++)
		ASSERT_EQ(slab_take_bulk(slot, class, objects, nr), nr);
}

/* Of the first slab little may ever be used, and of buffers: those get their frames by faults. */
ISOLATED_TEST(later_slabs_are_populated)
{
	struct slot *slot = own_slot("");

	take_two_slabs(slot, 5952);
	EXPECT_EQ(os_fake_calls(OS_CALL_POPULATE), 1);
	take_two_slabs(slot, 10912);
	EXPECT_EQ(os_fake_calls(OS_CALL_POPULATE), 1);
}

static unsigned int take_slab(struct slot *slot, unsigned int class, void **objects)
{
	unsigned int nr = slab_take_bulk(slot, class, objects, 1);

	while (count_slabs(slot, class))
		nr += slab_take_bulk(slot, class, objects + nr, 1);
	return nr;
}

/* What stays as the last one goes by itself; slabs that are in use do not. */
ISOLATED_TEST(the_last_empty_slab_goes)
{
	struct slot *slot = own_slot("");
	unsigned int class = class_of(1024), other = class_of(2048);
	void *objects[MANY], *more[MANY], *others[MANY];
	unsigned int nr = take_slab(slot, class, objects), nr_more;

	slab_put_bulk(slot, class, objects, nr);
	slab_put_bulk(slot, other, others, take_slab(slot, other, others) - 1);
	slab_trim_last(slot);
	EXPECT_EQ(slot->class[class].nr_slabs, 0);
	EXPECT_EQ(slot->class[other].nr_slabs, 1);
	slab_trim_last(slot);

	nr = take_slab(slot, class, objects);
	nr_more = take_slab(slot, class, more);
	slab_put_bulk(slot, class, objects, nr); /* empty, and stays */
	slab_put_bulk(slot, class, more, 1);
	ASSERT_EQ(count_slabs(slot, class), 2);
	slab_trim_last(slot);
	EXPECT_EQ(slot->class[class].nr_slabs, 1);
	slab_put_bulk(slot, class, more + 1, nr_more - 2);
	slab_trim_last(slot);
	EXPECT_EQ(slot->class[class].nr_slabs, 1);
	EXPECT(validate_slabs(slot));
}

/* The last empty slab of a class stays; more than one do not; trim takes that one too. */
ISOLATED_TEST(empty_slabs_go)
{
	struct slot *slot = own_slot("");
	unsigned int class = class_of(1024), nr = 0;
	void *objects[MANY];

	while (nr < 200) {
		unsigned int got = slab_take_bulk(slot, class, objects + nr, 8);

		ASSERT(got);
		nr += got;
	}
	EXPECT(slot->class[class].nr_slabs > 2);
	EXPECT(count_slabs(slot, class) <= 1); /* full ones are on no list */
	for (unsigned int i = 0; i < nr; i++) {
		slab_put_bulk(slot, class, &objects[(i * 7) % nr], 1);
		ASSERT(validate_slabs(slot));
	}
	EXPECT_EQ(slot->class[class].nr_slabs, 1);
	EXPECT_EQ(count_slabs(slot, class), 1);
	slab_trim(slot);
	EXPECT_EQ(slot->class[class].nr_slabs, 0);
	EXPECT_EQ(count_slabs(slot, class), 0);
	EXPECT_EQ(pagemap_read(virt_to_pfn(objects[0])), 0);
	pcp_drain(&slot->pcp);
	expect_valid();
	EXPECT_EQ(zone.nr_used[USE_SLAB], 0);
}

/* A stack that grows up from `objects` is filled from its bottom, also when fewer are to be had. */
ISOLATED_TEST(fewer_than_wanted)
{
	struct slot *slot = own_slot("");
	unsigned int class = class_of(2048), nr;
	void *objects[64] = { NULL };

	nr = slab_take_bulk(slot, class, objects, 64);
	ASSERT(nr && nr < 64);
	for (unsigned int i = 0; i < nr; i++)
		EXPECT(objects[i] && (!i || objects[i] < objects[i - 1]));
	EXPECT_EQ(slab_of(objects[0]), slab_of(objects[nr - 1]));
	EXPECT_EQ(count_free(slot, class), 0);
}

/* --- misuse ---------------------------------------------------------------------------------- */

static char text[512];

/* Put the address and return what was reported about it, without the prefix. */
static const char *report_of(struct slot *slot, unsigned int class, void *address)
{
	os_fake_capture_begin();
	slab_put_bulk(slot, class, &address, 1);
	snprintf(text, sizeof(text), "%s", os_fake_capture_end());
	return text;
}

static void expect_report(struct slot *slot, unsigned int class, void *address, const char *what,
			  const char *cache)
{
	char expected[256];

	snprintf(expected, sizeof(expected), "stitchmalloc: free(): %s %p (%s)\n", what, address,
		 cache);
	EXPECT_STREQ(report_of(slot, class, address), expected);
	ASSERT(validate_slabs(slot));
}

/* Slabs of the largest order are found in another way than smaller ones. */
static void misuse_leaves_slabs_intact(const char *options, unsigned int order, bool silent)
{
	static const char inside[] = "invalid pointer, inside an object:";
	static const size_t offsets[] = { 1, 8, 15, 16, 47 };
	struct slot *slot = own_slot(options);
	unsigned int class = class_of(48), nr_free, nr;
	void *objects[64];
	struct page *head;

	do {
		nr = slab_take_bulk(slot, class, objects, 64);
		head = slab_of(objects[0]);
	} while (head->order != order);
	ASSERT_EQ(head, slab_of(objects[nr - 1]));
	nr_free = count_free(slot, class);
	for (unsigned int i = 0; i < ARRAY_SIZE(offsets); i++) {
		char *address = (char *)objects[3] + offsets[i];

		if (silent)
			EXPECT_STREQ(report_of(slot, class, address), "");
		else
			expect_report(slot, class, address, inside, "kmalloc-48");
	}
	EXPECT_EQ(count_free(slot, class), nr_free);
	slab_put_bulk(slot, class, objects, 1);
	if (silent)
		EXPECT_STREQ(report_of(slot, class, objects[0]), "");
	else
		expect_report(slot, class, objects[0], "double free of", "kmalloc-48");
	EXPECT_EQ(count_free(slot, class), nr_free + 1);
	slab_put_bulk(slot, class, objects + 1, nr - 1);
	/* Behind the last object, where the slab's spare bytes are. */
	if (!silent)
		expect_report(slot, class,
			      slab_first_object(head) + head->nr_objects * (size_t)48, inside,
			      "kmalloc-48");
	EXPECT_EQ(count_free(slot, class), nr_free + nr);
	expect_valid();
}

ISOLATED_TEST(misuse_warned_of_leaves_slabs_intact)
{
	ASSERT(size_classes[class_of(48)].max_order > 0);
	misuse_leaves_slabs_intact("on_error=warn", 0, false);
}

ISOLATED_TEST(misuse_of_large_slabs_leaves_them_intact)
{
	misuse_leaves_slabs_intact("on_error=warn", size_classes[class_of(48)].max_order, false);
}

ISOLATED_TEST(misuse_ignored_leaves_slabs_intact)
{
	misuse_leaves_slabs_intact("on_error=ignore", 0, true);
}

/* Taken until they are back in their slab, wherever they wait; nothing starts in between. */
ISOLATED_TEST(places_in_slabs)
{
	unsigned int class = class_of(48);
	struct page *page;
	char *object, *other;

	heap_up("");
	object = kmalloc(48);
	other = kmalloc(48);
	page = pfn_to_page(virt_to_pfn(object));
	EXPECT_EQ(slab_place_of(page, class, object), SLAB_TAKEN);
	EXPECT_EQ(slab_place_of(page, class, other), SLAB_TAKEN);
	for (unsigned int at = 1; at < 48; at++)
		EXPECT_EQ(slab_place_of(page, class, object + at), SLAB_INSIDE);
	kfree(object);
	EXPECT_EQ(slab_place_of(page, class, object), SLAB_TAKEN);
	kmalloc_trim();
	EXPECT_EQ(slab_place_of(page, class, object), SLAB_FREE);
	EXPECT_EQ(slab_place_of(page, class, other), SLAB_TAKEN);
	EXPECT_EQ(slab_place_of(page, class, object + 16), SLAB_INSIDE);
}

ISOLATED_TEST(misuse_kills)
{
	struct slot *slot = own_slot("");
	unsigned int class = class_of(64);
	void *objects[64], *inside;
	unsigned int nr = slab_take_bulk(slot, class, objects, 64);

	inside = (char *)objects[1] + 32;
	EXPECT_DEATH(slab_put_bulk(slot, class, &inside, 1), "inside an object: 0x");
	slab_put_bulk(slot, class, objects, nr);
	EXPECT_DEATH(slab_put_bulk(slot, class, objects, 1), "free(): double free of 0x");
}

/* The slab is gone, or gone to another use: nothing there is touched. */
ISOLATED_TEST(free_into_a_slab_that_is_gone)
{
	struct slot *slot = own_slot("on_error=warn");
	unsigned int class = class_of(64), other = class_of(128);
	void *objects[64];
	unsigned int nr = slab_take_bulk(slot, class, objects, 64);

	slab_put_bulk(slot, class, objects, nr);
	slab_trim(slot);
	expect_report(slot, class, objects[0], "double free of", "kmalloc-64");
	/* The same page, with objects of another class. */
	nr = slab_take_bulk(slot, other, objects, 1);
	ASSERT_EQ(nr, 1);
	expect_report(slot, class, objects[0], "double free of", "kmalloc-64");
	slab_put_bulk(slot, other, objects, 1);
	expect_valid();
}

/* --- no memory ------------------------------------------------------------------------------- */

ISOLATED_TEST(no_memory_for_a_slab)
{
	struct slot *slot = own_slot("reserve=16M");
	unsigned int class = class_of(8192);
	void *object, *objects[MANY * 3];
	unsigned int nr = 0;

	os_fake_fail(OS_CALL_OPEN, 1, UINT_MAX, 12);
	EXPECT_EQ(slab_take_bulk(slot, class, &object, 1), 0);
	EXPECT_EQ(slot->class[class].nr_slabs, 0);
	expect_valid();
	os_fake_fail(OS_CALL_OPEN, 0, 0, 0);
	EXPECT_EQ(slab_take_bulk(slot, class, &object, 1), 1);
	slab_put_bulk(slot, class, &object, 1);
	/* Until the reserve is used up, and then again. */
	for (unsigned int round = 0; round < 2; round++) {
		while (slab_take_bulk(slot, class, &objects[nr], 1))
			nr++;
		EXPECT(nr > MIB(12) / 8192);
		expect_valid();
		while (nr)
			slab_put_bulk(slot, class, &objects[--nr], 1);
		expect_valid();
	}
}

/* Where large slabs do not fit any more, small ones do. */
ISOLATED_TEST(scattered_pages_make_small_slabs)
{
	struct slot *slot = own_slot("reserve=16M");
	unsigned int class = class_of(256);
	void *pages[MANY * 5], *object;
	unsigned int nr = 0, order = 0;

	while (order < size_classes[class].max_order) {
		ASSERT(slab_take_bulk(slot, class, &object, 1));
		order = slab_of(object)->order;
	}
	while (slab_take_bulk(slot, class_of(4096), &pages[nr], 1))
		nr++;
	while (slab_take_bulk(slot, class, &object, 1))
		;
	for (unsigned int i = 0; i < nr; i++)
		if (virt_to_pfn(pages[i]) % 8 == 3)
			slab_put_bulk(slot, class_of(4096), &pages[i], 1);
	EXPECT_EQ(slab_take_bulk(slot, class, &object, 1), 1);
	expect_valid();
}

/* A class whose slabs begin with 64 KiB has one object of what is left, 16 KiB. */
ISOLATED_TEST(one_object_is_better_than_none)
{
	struct slot *slot = own_slot("reserve=16M");
	unsigned int class = class_of(11904), order_4 = class_of(4096);
	void *pages[MANY * 5], *object;
	unsigned int nr = 0;

	ASSERT_EQ(size_classes[class].min_order, 4);
	while (slab_take_bulk(slot, order_4, &pages[nr], 1))
		nr++;
	while (slab_take_bulk(slot, class, &object, 1))
		;
	for (unsigned int i = 0; i < nr; i++) /* in blocks of 64 KiB the first quarter */
		if (virt_to_pfn(pages[i]) % 16 < 4 && slab_of(pages[i])->order <= 2)
			slab_put_bulk(slot, order_4, &pages[i], 1);
	EXPECT_EQ(slab_take_bulk(slot, class, &object, 1), 1);
	EXPECT_EQ(slab_of(object)->order, 2);
	expect_valid();
}

/* --- change of owner ------------------------------------------------------------------------- */

ISOLATED_TEST(slabs_are_adopted)
{
	struct slot *owner = own_slot(""), *slot;
	unsigned int class = class_of(64);
	void *objects[64];
	unsigned int nr = slab_take_bulk(owner, class, objects, 40);
	struct page *head = slab_of(objects[0]);

	ASSERT_EQ(nr, 40);
	thread_switch(&slot_none);
	slot = slot_visit();
	ASSERT(slot != owner);
	slab_adopt_locked(slot, owner, objects[5]);
	EXPECT_EQ(pagemap_read(page_to_pfn(head)), slot->tag | class);
	EXPECT_EQ(owner->class[class].nr_slabs, 0);
	EXPECT_EQ(slot->class[class].nr_slabs, 1);
	EXPECT_EQ(count_slabs(owner, class), 0);
	EXPECT_EQ(count_slabs(slot, class), 1);
	ASSERT(validate_slabs(slot) && validate_slabs(owner));
	/* Again, and of something that is no slab of the owner: nothing. */
	slab_adopt_locked(slot, owner, objects[6]);
	slab_adopt_locked(slot, owner, kmalloc(KIB(64)));
	EXPECT_EQ(slot->class[class].nr_slabs, 1);
	slab_put_bulk(slot, class, objects, nr);
	EXPECT_EQ(count_free(slot, class), head->nr_objects);
	expect_valid();
}

/* What the former owner still has in its hands it forwards to the new one. */
ISOLATED_TEST(objects_follow_their_slab)
{
	struct slot *owner = own_slot(""), *slot;
	unsigned int class = class_of(64);
	void *objects[64];

	ASSERT_EQ(slab_take_bulk(owner, class, objects, 64), 64);
	thread_switch(&slot_none);
	slot = slot_visit();
	slab_adopt_locked(slot, owner, objects[0]);
	EXPECT_EQ(count_slabs(slot, class), 0); /* it is full */
	slab_put_bulk(owner, class, objects, 64);
	EXPECT_EQ(count_free(slot, class), 0);
	EXPECT(slot->inbox);
	sheaves_drain(slot);
	EXPECT_EQ(slot->class[class].nr_slabs, 0);
	EXPECT_EQ(pagemap_read(virt_to_pfn(objects[0])), 0);
	expect_valid();
}

/* --- the validator sees what it says --------------------------------------------------------- */

ISOLATED_TEST(validator_sees_each_broken_invariant)
{
	struct slot *slot = own_slot("");
	unsigned int class = class_of(64);
	void *objects[8];
	struct page *head;
	uint64_t word;

	ASSERT_EQ(slab_take_bulk(slot, class, objects, 8), 8);
	head = slab_of(objects[0]);
	ASSERT(validate_slabs(slot));
	head->until_event++;
	EXPECT(!validate_slabs(slot));
	head->until_event--;
	word = head->bitmap[0];
	head->bitmap[0] |= 1;
	EXPECT(!validate_slabs(slot));
	head->bitmap[0] = word;
	pagemap_write(page_to_pfn(head), slot->tag | (class + 1));
	EXPECT(!validate_slabs(slot));
	pagemap_write(page_to_pfn(head), slot->tag | class);
	head->kind = PAGE_RUN;
	EXPECT(!validate_slabs(slot));
	head->kind = PAGE_SLAB;
	head->slab_index = 1;
	EXPECT(!validate_slabs(slot));
	head->slab_index = 0;
	ASSERT(validate_slabs(slot));
	memset(head->bitmap, 0, sizeof(head->bitmap));
	EXPECT(!validate_slabs(slot));
}

RUN_TESTS
