/*
 * test_remote.c - frees of other slots' objects: gathered, handed over, adopted, forwarded.
 *
 * Several threads are played by one: `a` and `b` hold slots, and `thread_switch` changes sides.
 */
#include "slab/remote.h"

#include "kunit.h"
#include "isolated.h"
#include "slab/barn.h"

#define BYTES 256u
#define BATCH_OF_256 62u /* 16 KiB of them would be 64 */
#define MANY 5000u

static struct slot *a, *b;
static void *objects[MANY];

static struct slot *newcomer(void)
{
	thread_switch(&slot_none);
	return slot_visit();
}

static void two_threads(const char *options)
{
	heap_up(options);
	a = newcomer();
	b = newcomer();
}

static void alloc_by(struct slot *slot, unsigned int nr, size_t bytes)
{
	thread_switch(slot);
	for (unsigned int i = 0; i < nr; i++)
		ASSERT((objects[i] = kmalloc(bytes)));
}

static void free_by(struct slot *slot, unsigned int nr)
{
	thread_switch(slot);
	for (unsigned int i = 0; i < nr; i++)
		kfree(objects[i]);
}

static unsigned int count_batch_objects(const struct batch *batch)
{
	unsigned int nr_objects = 0;

	for (; batch; batch = batch->next)
		nr_objects += batch->nr_objects;
	return nr_objects;
}

static unsigned int count_outboxes(const struct slot *slot)
{
	unsigned int nr_objects = 0;

	for (unsigned int i = 0; i < NR_OUTBOXES; i++)
		if (slot->outbox[i])
			nr_objects += slot->outbox[i]->nr_objects;
	return nr_objects;
}

static uint32_t entry_of(const void *object)
{
	return pagemap_read(virt_to_pfn(object));
}

/* After trims by all who hold a slot, no object may be anywhere but free. */
static void expect_nothing_left(void)
{
	struct slot *holders[] = { a, b };

	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(holders); i++) {
			if (holders[i]->state != SLOT_HELD)
				continue;
			thread_switch(holders[i]);
			kmalloc_trim();
		}
	}
	expect_valid();
	EXPECT_EQ(zone.nr_used[USE_SLAB], 0);
}

ISOLATED_TEST(frees_are_gathered_by_owner)
{
	two_threads("");
	alloc_by(a, BATCH_OF_256 + 1, BYTES);
	free_by(b, BATCH_OF_256);
	EXPECT_EQ(count_outboxes(b), BATCH_OF_256);
	EXPECT_EQ(a->inbox, NULL);
	kfree(objects[BATCH_OF_256]); /* there is no room for it: what waits goes */
	EXPECT_EQ(count_outboxes(b), 1);
	EXPECT_EQ(count_batch_objects(a->inbox), BATCH_OF_256);
	EXPECT_EQ(((struct batch *)a->inbox)->entry, entry_of(objects[0]));
	expect_nothing_left();
}

/* Large objects are handed over sooner: two, or 16 KiB at most, wait in an outbox. */
ISOLATED_TEST(batches_are_bounded_in_bytes)
{
	two_threads("");
	alloc_by(a, 3, 8192);
	free_by(b, 3);
	EXPECT_EQ(count_outboxes(b), 1);
	EXPECT_EQ(count_batch_objects(a->inbox), 2);
	alloc_by(a, 7, 5040);
	free_by(b, 7);
	EXPECT_EQ(count_outboxes(b), 1 + 1);
	expect_nothing_left();
}

/* The owner finds them at its next refill, of whatever class. */
ISOLATED_TEST(owner_collects_at_refill)
{
	unsigned int class = class_of(BYTES), held;

	two_threads("");
	alloc_by(a, BATCH_OF_256, BYTES);
	held = sheaf_count(a, class);
	free_by(b, BATCH_OF_256);
	remote_flush(b);
	thread_switch(a);
	ASSERT(kmalloc(1500)); /* a miss */
	EXPECT_EQ(a->inbox, NULL);
	EXPECT(sheaf_count(a, class) >= held);
	/* The batch came back to the barn. */
	EXPECT(barn_get_batch() != barn_get_batch());
	thread_switch(a);
	expect_valid();
}

/* Classes and owners, up to 16, do not push each other out. */
TEST(each_owner_and_class_has_an_outbox)
{
	static bool taken[NR_OUTBOXES];
	static struct slot slot;

	for (uint32_t id = 5; id < 5 + NR_OUTBOX_ROWS; id++)
		for (uint32_t class = 0; class < NR_SIZE_CLASSES; class++) {
			ptrdiff_t box = remote_outbox(&slot, PAGEMAP_SLAB(id, class)) - slot.outbox;

			ASSERT(box >= 0 && box < (ptrdiff_t)NR_OUTBOXES);
			EXPECT(!taken[box]);
			taken[box] = true;
		}
}

/* The more owners, the less waits for each. */
ISOLATED_TEST(batches_for_many_are_smaller)
{
	two_threads("");
	alloc_by(a, 8, 2048);
	b->outbox_rows = 0xf0; /* as if there were four others */
	free_by(b, 8);
	EXPECT_EQ((*remote_outbox(b, a->tag | class_of(2048)))->limit, 2);
	b->outbox_rows = 1u << a->id % NR_OUTBOX_ROWS;
	expect_nothing_left();
}

ISOLATED_TEST(a_flush_empties_every_outbox)
{
	unsigned int nr = 0;

	two_threads("");
	thread_switch(a);
	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++)
		ASSERT((objects[nr++] = kmalloc(size_classes[class].size)));
	free_by(b, nr);
	EXPECT_EQ(count_outboxes(b), nr);
	remote_flush(b);
	EXPECT_EQ(count_outboxes(b), 0);
	EXPECT_EQ(count_batch_objects(a->inbox), nr);
	expect_nothing_left();
}

ISOLATED_TEST(release_hands_everything_over)
{
	two_threads("");
	alloc_by(a, 10, BYTES);
	free_by(b, 10);
	EXPECT_EQ(count_outboxes(b), 10);
	mm_thread_exit();
	EXPECT_EQ(count_outboxes(b), 0);
	EXPECT_EQ(count_batch_objects(a->inbox), 10);
	expect_nothing_left();
}

/* --- adoption -------------------------------------------------------------------------------- */

ISOLATED_TEST(slabs_of_a_free_slot_are_adopted)
{
	two_threads("");
	alloc_by(a, MANY, BYTES);
	mm_thread_exit();
	ASSERT_EQ(a->state, SLOT_FREE);
	free_by(b, MANY);
	remote_flush(b);
	EXPECT_EQ(a->inbox, NULL);
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT(!entry_of(objects[i]) || pagemap_slot(entry_of(objects[i])) == b->id);
	EXPECT_EQ(a->class[class_of(BYTES)].nr_slabs, 0);
	/* What `a` still has in its sheaf lies in slabs of `b` now; its heir may use it. */
	EXPECT_EQ(newcomer(), a);
	alloc_by(a, 100, BYTES);
	free_by(a, 100);
	expect_nothing_left();
}

/* What was on its way when the owner left goes to the adopter with the slabs. */
ISOLATED_TEST(adopter_takes_the_inbox)
{
	two_threads("");
	alloc_by(a, 2 * BATCH_OF_256, BYTES);
	free_by(b, BATCH_OF_256 + 1);
	EXPECT_EQ(count_batch_objects(a->inbox), BATCH_OF_256);
	thread_switch(a);
	mm_thread_exit();
	thread_switch(b);
	for (unsigned int i = BATCH_OF_256 + 1; i < 2 * BATCH_OF_256; i++)
		kfree(objects[i]);
	remote_flush(b);
	EXPECT_EQ(a->inbox, NULL);
	expect_nothing_left();
}

/* Gathered while the owner was there, delivered when its slabs are another's already. */
ISOLATED_TEST(late_batches_follow_the_slab)
{
	struct slot *c;

	two_threads("");
	alloc_by(a, 20, BYTES);
	free_by(b, 10); /* in b's outbox, addressed to a */
	thread_switch(a);
	mm_thread_exit();
	c = newcomer();
	ASSERT_EQ(c, a); /* the heir... */
	mm_thread_exit();
	thread_switch(&slot_none);
	c = newcomer();
	mm_thread_exit();
	ASSERT_EQ(c, a);
	thread_switch(b);
	remote_flush(b);
	EXPECT_EQ(pagemap_slot(entry_of(objects[15])), b->id);
	for (unsigned int i = 10; i < 20; i++)
		kfree(objects[i]);
	expect_nothing_left();
}

/* An entry that was read before the slab changed hands. */
ISOLATED_TEST(stale_entries_are_forwarded)
{
	uint32_t entry;
	struct slot *c;

	two_threads("");
	alloc_by(a, 20, BYTES);
	entry = entry_of(objects[0]);
	mm_thread_exit();
	c = newcomer();
	mm_thread_exit();
	ASSERT_EQ(c, a);
	thread_switch(b);
	kfree(objects[1]);
	remote_flush(b);
	ASSERT_EQ(pagemap_slot(entry_of(objects[0])), b->id);
	remote_free(b, entry, objects[0]); /* still says a */
	remote_flush(b);
	c = newcomer();
	ASSERT_EQ(c, a);
	remote_forward(entry, objects[2]); /* to a, who holds it in its sheaf and gives it away */
	for (unsigned int i = 3; i < 20; i++)
		kfree(objects[i]);
	expect_nothing_left();
}

/* The shared slot adopts nothing and keeps nothing in outboxes: nobody may come by for long. */
ISOLATED_TEST(gone_threads_hand_over_at_once)
{
	struct slot *shared;

	two_threads("");
	shared = slot_by_id(1);
	alloc_by(a, 10, BYTES);
	thread_switch(&slot_gone);
	free_by(&slot_gone, 5);
	EXPECT_EQ(count_outboxes(shared), 0);
	EXPECT_EQ(count_batch_objects(a->inbox), 5);
	thread_switch(a);
	mm_thread_exit();
	for (unsigned int i = 5; i < 10; i++)
		kfree(objects[i]);
	EXPECT_EQ(count_outboxes(shared), 0);
	EXPECT_EQ(shared->class[class_of(BYTES)].nr_slabs, 0);
	expect_nothing_left();
}

/* And what others free of the shared slot's objects waits for trim or the next that borrows. */
ISOLATED_TEST(shared_slot_collects)
{
	two_threads("");
	alloc_by(&slot_gone, 100, BYTES);
	free_by(a, 100);
	remote_flush(a);
	EXPECT(slot_by_id(1)->inbox);
	thread_switch(&slot_gone);
	ASSERT((objects[0] = kmalloc(BYTES)));
	EXPECT_EQ(slot_by_id(1)->inbox, NULL);
	free_by(b, 1);
	expect_nothing_left();
}

/* --- slots that were lost ------------------------------------------------------------------ */

ISOLATED_TEST(frees_to_a_lost_slot_are_harmless)
{
	struct kmalloc_usage usage;

	two_threads("");
	alloc_by(a, MANY, BYTES);
	free_by(b, 10); /* some are on their way */
	a->inside = 1;
	slots_after_fork(false);
	ASSERT_EQ(a->state, SLOT_LOST);
	for (unsigned int i = 10; i < MANY; i++) {
		((char *)objects[i])[0] = 1;
		kfree(objects[i]);
	}
	remote_forward(entry_of(objects[0]), objects[0]);
	remote_flush(b);
	EXPECT_EQ(a->inbox, NULL);
	objects[0] = kmalloc(BYTES);
	EXPECT_EQ(pagemap_slot(entry_of(objects[0])), b->id);
	kmalloc_usage_read(&usage);
	kmalloc_trim();
	EXPECT(newcomer() != a);
	expect_valid();
}

/* --- no memory ------------------------------------------------------------------------------- */

/* Objects that no batch has room for go home one by one. */
ISOLATED_TEST(no_memory_for_batches)
{
	struct kmalloc_usage usage;

	two_threads("");
	alloc_by(a, MANY, BYTES);
	memory_gone();
	free_by(b, MANY - 5);
	EXPECT_EQ(count_outboxes(b), 0);
	EXPECT_EQ(a->inbox, NULL);
	EXPECT(a->strays);
	thread_switch(a);
	for (unsigned int i = MANY - 5; i < MANY; i++)
		kfree(objects[i]);
	remote_collect(a);
	EXPECT(!a->strays);
	kmalloc_usage_read(&usage);
	EXPECT_EQ(usage.small_live, 0);
	expect_valid();
	alloc_by(a, MANY, BYTES); /* still without memory: they are all there again */
	free_by(a, MANY);
	expect_nothing_left();
}

/* What waits there while memory is short is no hindrance to what comes in batches later. */
ISOLATED_TEST(strays_wait_for_the_heir)
{
	two_threads("");
	alloc_by(a, 20, BYTES);
	mm_thread_exit();
	memory_gone();
	free_by(b, 10);
	EXPECT(a->strays);
	memory_back();
	for (unsigned int i = 10; i < 20; i++)
		kfree(objects[i]);
	remote_flush(b); /* adopts the slabs */
	ASSERT_EQ(newcomer(), a);
	remote_collect(a);
	EXPECT(!a->strays);
	expect_nothing_left();
}

ISOLATED_TEST(strays_of_a_lost_slot_are_dropped)
{
	two_threads("");
	alloc_by(a, MANY, BYTES);
	thread_switch(b);
	memory_gone();
	a->inside = 1;
	slots_after_fork(false);
	ASSERT_EQ(a->state, SLOT_LOST);
	free_by(b, MANY);
	remote_forward(entry_of(objects[0]), objects[0]);
	remote_flush(b);
	EXPECT(!a->strays);
	EXPECT_EQ(count_outboxes(b), 0);
	memory_back();
	expect_valid();
}

/* The list of strays is in dead objects: one that comes twice must not close it to a ring. */
ISOLATED_TEST(a_stray_that_is_freed_twice_is_reported)
{
	two_threads("on_error=warn");
	alloc_by(a, 10, BYTES);
	memory_gone();
	free_by(b, 2);
	kfree(objects[0]);
	thread_switch(a);
	os_fake_capture_begin();
	alarm(20);
	remote_collect(a);
	EXPECT(strstr(os_fake_capture_end(), "free(): double free of 0x"));
	EXPECT(!a->strays);
	memory_back();
	expect_valid();
}

/*
 * All that a thread made is freed by another, in any order, while the first does nothing: what
 * waits for it must not use up the memory for batches, nor that for slots.
 */
ISOLATED_TEST(idle_owners_lose_nothing)
{
	static void *many[100000];
	struct kmalloc_usage usage;
	uint64_t random = 1;
	size_t bytes = 0;
	unsigned int nr = 0;

	two_threads("reserve=1G");
	thread_switch(a);
	while (bytes < MIB(10)) {
		ASSERT((many[nr] = kmalloc(16 + kunit_below(&random, 1000))));
		bytes += ksize(many[nr++]);
	}
	thread_switch(b);
	while (nr) {
		unsigned int i = (unsigned int)kunit_below(&random, nr);

		kfree(many[i]);
		many[i] = many[--nr];
	}
	kmalloc_usage_read(&usage);
	EXPECT_EQ(usage.small_live, 0);
	EXPECT(newcomer()->state == SLOT_HELD);
	expect_nothing_left();
}

/* --- misuse ---------------------------------------------------------------------------------- */

ISOLATED_TEST(double_free_by_others_is_seen_at_home)
{
	two_threads("on_error=warn");
	alloc_by(a, 10, BYTES);
	free_by(b, 10);
	kfree(objects[3]);
	remote_flush(b);
	thread_switch(a);
	os_fake_capture_begin();
	kmalloc_trim();
	EXPECT(strstr(os_fake_capture_end(), "free(): double free of 0x"));
	expect_nothing_left();
}

static unsigned int nr_seen;

static void see(void *context, const struct batch *batch)
{
	EXPECT_EQ(context, &nr_seen);
	nr_seen += batch->nr_objects;
}

/* With and without a batch that has room for it. */
ISOLATED_TEST(misaligned_pointers_are_seen_at_once)
{
	char line[128];

	two_threads("on_error=warn");
	alloc_by(a, 2, 64);
	thread_switch(b);
	for (unsigned int i = 0; i < 2; i++) {
		char *inside = (char *)objects[0] + 8 * i + 1;

		snprintf(line, sizeof(line), "stitchmalloc: free(): invalid pointer, inside an "
			 "object: %p (kmalloc-64)\n", inside);
		os_fake_capture_begin();
		kfree(inside);
		EXPECT_STREQ(os_fake_capture_end(), line);
		EXPECT_EQ(count_outboxes(b), i);
		kfree(objects[i]);
	}
	EXPECT_EQ(count_outboxes(b), 2);
}

ISOLATED_TEST(visitors_leave_the_inbox_as_it_was)
{
	struct batch *first;

	two_threads("");
	alloc_by(a, 3 * BATCH_OF_256, BYTES);
	remote_visit_inbox(a, see, &nr_seen);
	EXPECT_EQ(nr_seen, 0);
	EXPECT_EQ(a->inbox, NULL);
	free_by(b, 3 * BATCH_OF_256);
	remote_flush(b);
	first = a->inbox;
	for (unsigned int i = 1; i <= 2; i++) {
		remote_visit_inbox(a, see, &nr_seen);
		EXPECT_EQ(nr_seen, i * 3 * BATCH_OF_256);
		EXPECT_EQ(a->inbox, first);
	}
	expect_nothing_left();
}

RUN_TESTS
