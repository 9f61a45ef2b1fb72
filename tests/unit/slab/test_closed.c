/*
 * test_closed.c - closed sheaves: quiet programs come by at decay, busy ones get theirs opened,
 * and what is hidden is neither lost nor given out twice.
 */
#include "slab/sheaf.h"

#include "kunit.h"
#include "isolated.h"
#include "mm/decay.h"
#include "mm/emergency.h"

#define BYTES 100u
#define NR 3000u
#define NR_HELD 100u /* of these, until the sheaf is closed */
#define NR_BLOCKS 32u

static void *objects[NR], *blocks[NR_BLOCKS];

static const struct slot_class *cache(void)
{
	return &current_slot->class[class_of(BYTES)];
}

static bool is_closed(void)
{
	return sheaf_is_closed(current_slot, class_of(BYTES));
}

static unsigned int count(void)
{
	return sheaf_count(current_slot, class_of(BYTES));
}

/* 32 MiB stay free and resident, as when the program has needed them again and again. */
static void decay_becomes_due(void)
{
	WRITE_ONCE(zone.watermark[WMARK_HIGH], (size_t)1 << 20);
	for (unsigned int i = 0; i < NR_BLOCKS; i++) {
		ASSERT((blocks[i] = kmalloc(MIB(1))));
		memset(blocks[i], 1, MIB(1));
	}
	for (unsigned int i = 0; i < NR_BLOCKS; i++)
		kfree(blocks[i]);
	EXPECT(decay_is_due());
}

static void decay_is_done(void)
{
	WRITE_ONCE(zone.watermark[WMARK_LOW], (size_t)1 << 20);
	WRITE_ONCE(zone.nr_free_beyond, (size_t)1 << 20);
	EXPECT(!decay_is_due());
}

/* A sheaf with objects in it, then closed. */
static void closed_heap(void)
{
	heap_up("retain=4M,decay_ms=1000");
	os_fake_clock_set(1000000);
	decay_step(); /* the first instalment is far behind */
	for (unsigned int i = 0; i < NR; i++)
		ASSERT((objects[i] = kmalloc(BYTES)));
	for (unsigned int i = NR_HELD; i < NR; i++)
		kfree(objects[i]);
	EXPECT(!is_closed());
	decay_becomes_due();
	EXPECT(is_closed());
	for (unsigned int i = 0; i < NR_HELD; i++)
		kfree(objects[i]);
	EXPECT(is_closed());
}

/* Hits all the time, one a second; and whatever was done in the second before. */
ISOLATED_TEST(quiet_programs_come_by)
{
	closed_heap();
	for (unsigned int i = 0; i < 200; i++)
		kfree(kmalloc(BYTES));
	EXPECT(zone.nr_free_touched >= MIB(NR_BLOCKS - 1) / PAGE_SIZE); /* a long run is kept */
	for (unsigned int seconds = 0; seconds < 8; seconds++) {
		os_fake_clock_advance(1000);
		kfree(kmalloc(BYTES));
	}
	EXPECT(zone.nr_free_touched <= zone.watermark[WMARK_LOW]);
	EXPECT(!decay_is_due());
	kfree(kmalloc(BYTES));
	EXPECT(!is_closed());
	expect_valid();
}

/* Each object that a sheaf keeps in vain keeps a slab. */
ISOLATED_TEST(idle_sheaves_are_handed_back)
{
	uint32_t nr_slabs;

	closed_heap();
	nr_slabs = cache()->nr_slabs;
	EXPECT(count() >= NR_HELD);
	os_fake_clock_advance(100);
	kfree(kmalloc(BYTES + 4000)); /* a look at the clock that is not of this class */
	os_fake_clock_advance(100);
	kfree(kmalloc(BYTES + 4000));
	EXPECT(is_closed());
	EXPECT_EQ(count(), 0);
	EXPECT(cache()->nr_slabs < nr_slabs);
	expect_valid();
	kfree(kmalloc(BYTES));
	expect_valid();
}

ISOLATED_TEST(busy_programs_hit)
{
	unsigned int nr_slow = 0;

	closed_heap();
	for (unsigned int i = 0; i < 300; i++)
		kfree(kmalloc(BYTES));
	EXPECT(!is_closed());
	/* Until time has passed and a slow path comes by. */
	os_fake_clock_advance(100);
	kfree(kmalloc(BYTES));
	EXPECT(!is_closed());
	kfree(kmalloc(BYTES + 4000));
	EXPECT(is_closed());
	/* One visit of eight takes the slow path. */
	for (unsigned int i = 0; i < 80; i++) {
		void *object = sheaf_alloc_closed(class_of(BYTES));

		nr_slow += !object;
		kfree(object ? object : kmalloc(BYTES));
	}
	EXPECT(nr_slow >= 10 && nr_slow <= 11);
}

ISOLATED_TEST(opened_when_decay_is_done)
{
	unsigned int nr;

	closed_heap();
	nr = count();
	decay_is_done();
	objects[0] = kmalloc(BYTES);
	EXPECT(!is_closed());
	EXPECT_EQ(count(), nr - 1);
	kfree(objects[0]);
	EXPECT_EQ(count(), nr);
	EXPECT_EQ(cache()->nr_hidden, 0);
}

/* A phase of frees leaves all closed; more than there is room for goes to the slabs. */
ISOLATED_TEST(frees_do_not_open)
{
	closed_heap();
	for (unsigned int i = 0; i < NR; i++)
		ASSERT((objects[i] = kmalloc(BYTES)));
	EXPECT(!is_closed());
	os_fake_clock_advance(100);
	kfree(kmalloc(MIB(1)));
	EXPECT(is_closed());
	for (unsigned int i = 0; i < NR; i++) {
		kfree(objects[i]);
		ASSERT(is_closed());
		ASSERT(count() <= cache()->capacity);
	}
	expect_valid();
	kmalloc_trim();
	EXPECT_EQ(zone.nr_used[USE_SLAB], 0);
}

/* None is given out twice, whatever is hidden when it runs out and is refilled. */
ISOLATED_TEST(closed_sheaves_give_each_object_once)
{
	closed_heap();
	params.decay_ms = 1000000;
	for (unsigned int i = 0; i < NR; i++) {
		if (i % 100 == 0) {
			os_fake_clock_advance(100);
			kfree(kmalloc(MIB(1)));
			EXPECT(is_closed());
		}
		ASSERT((objects[i] = kmalloc(BYTES)));
		memset(objects[i], 0, BYTES);
	}
	for (unsigned int i = 0; i < NR; i++) {
		ASSERT_EQ(*(unsigned int *)objects[i], 0);
		*(unsigned int *)objects[i] = i + 1;
	}
}

ISOLATED_TEST(hidden_objects_count_as_free)
{
	struct kmalloc_usage before, after;

	closed_heap();
	decay_is_done();
	kfree(kmalloc(BYTES));
	kmalloc_usage_read(&before);
	os_fake_clock_advance(100);
	decay_step();
	sheaves_close_in_time(current_slot);
	EXPECT(is_closed());
	kmalloc_usage_read(&after);
	EXPECT_EQ(after.small_live, before.small_live);
	EXPECT_EQ(after.small_cached, before.small_cached);
}

ISOLATED_TEST(double_frees_are_found_at_once)
{
	void *a;

	closed_heap();
	a = kmalloc(BYTES);
	kfree(a);
	EXPECT(is_closed());
	EXPECT_DEATH(kfree(a), "free(): double free of 0x");
	EXPECT_DEATH(krealloc(a, 50), "realloc(): freed object 0x");
	EXPECT_DEATH(kfree((char *)kmalloc(BYTES) + 8), "invalid pointer");
}

/* The next thread inherits the slot whole, and so does who only trims. */
ISOLATED_TEST(closed_slots_are_inherited)
{
	struct slot *slot;
	unsigned int nr;

	closed_heap();
	slot = current_slot;
	nr = count();
	EXPECT(nr > 10);
	mm_thread_exit();
	thread_switch(&slot_none);
	objects[0] = kmalloc(BYTES);
	EXPECT_EQ(current_slot, slot);
	EXPECT_EQ(count(), nr - 1);
	kfree(objects[0]);
	EXPECT(is_closed());
	mm_thread_exit();
	kmalloc_trim();
	EXPECT_EQ(zone.nr_used[USE_SLAB], 0);
	expect_valid();
}

/* A signal handler amid a slow path, which may be just opening the sheaf. */
ISOLATED_TEST(handlers_keep_off)
{
	unsigned int nr;

	closed_heap();
	objects[0] = kmalloc(BYTES);
	nr = cache()->nr_hidden;
	current_slot->inside = 1;
	objects[1] = kmalloc(BYTES);
	kfree(objects[0]);
	EXPECT(emergency_contains(objects[1]));
	EXPECT_EQ(cache()->nr_hidden, nr);
	current_slot->inside = 0;
	kfree(kmalloc(MIB(1))); /* sees to what was deferred */
	EXPECT_EQ(cache()->nr_hidden, nr + 1);
}

/* What other threads free of the slot's objects is taken in without opening anything. */
ISOLATED_TEST(others_batches_go_to_the_slabs)
{
	struct slot *owner, *other;

	closed_heap();
	for (unsigned int i = 0; i < 62; i++)
		ASSERT((objects[i] = kmalloc(BYTES)));
	owner = thread_switch(&slot_none);
	kfree(kmalloc(BYTES));
	for (unsigned int i = 0; i < 62; i++)
		kfree(objects[i]);
	EXPECT(current_slot != owner);
	mm_thread_exit();
	other = thread_switch(owner);
	EXPECT(other == &slot_gone);
	EXPECT(is_closed());
	ASSERT((objects[0] = kmalloc(BYTES + 2000))); /* takes in what others have freed */
	EXPECT(!owner->inbox);
	EXPECT(is_closed());
	kfree(objects[0]);
	kmalloc_trim();
	EXPECT_EQ(zone.nr_used[USE_SLAB], 0);
	expect_valid();
}

RUN_TESTS
