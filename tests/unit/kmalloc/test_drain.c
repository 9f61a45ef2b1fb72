/*
 * test_drain.c - trimming reaches slabs, page stocks and inboxes of threads that do not come by;
 * the gate that is closed for it lets others wait, and forks and children pass.
 */
#include "kunit.h"
#include "isolated.h"
#include "cache_test.h"
#include "gate_test.h"
#include "kmalloc/owner.h"
#include "kmalloc/pages.h"
#include "mm/emergency.h"
#include "slab/remote.h"
#include "vmalloc/stitch.h"

#define NR 60000u
#define BYTES 200u

static char *objects[NR];

static void *close_briefly_and_open(void *unused)
{
	ASSERT(gate_close_briefly());
	is_closed = true;
	while (!may_open)
		sched_yield();
	is_closed = false;
	gate_open();
	return unused;
}

static void brief_closer_closes(void)
{
	is_closed = may_open = false;
	ASSERT(!pthread_create(&closer, NULL, close_briefly_and_open, NULL));
	while (!is_closed)
		sched_yield();
}

/* The thread allocates, and another one goes on. */
static struct slot *allocate_and_sleep(void)
{
	for (unsigned int i = 0; i < NR; i++) {
		ASSERT((objects[i] = kmalloc(BYTES)));
		memset(objects[i], 1, BYTES);
	}
	return thread_switch(&slot_none);
}

static void free_all(void)
{
	for (unsigned int i = 0; i < NR; i++)
		kfree(objects[i]);
}

static size_t slab_bytes(void)
{
	return zone.nr_used[USE_SLAB] * PAGE_SIZE;
}

ISOLATED_TEST(trim_reaches_sleeping_threads)
{
	struct slot *sleeper;

	heap_up("");
	sleeper = allocate_and_sleep();
	free_all();
	EXPECT(slab_bytes() > NR * BYTES);
	EXPECT(kmalloc_trim());
	EXPECT_EQ(sleeper->inbox, NULL);
	EXPECT(slab_bytes() < KIB(256)); /* its sheaf, and the slabs that those objects are in */
	expect_valid();
	/* It wakes up and finds all as it should be. */
	thread_switch(sleeper);
	allocate_and_sleep();
	for (unsigned int i = 0; i < NR; i++) {
		ASSERT_EQ(*(unsigned int *)(void *)objects[i], 0x01010101);
		*(unsigned int *)(void *)objects[i] = i;
	}
	thread_switch(sleeper);
	free_all();
	kmalloc_trim();
	EXPECT_EQ(slab_bytes(), 0);
	expect_valid();
}

static unsigned int fill(size_t bytes)
{
	unsigned int nr = 0;

	while (nr < NR && (objects[nr] = kmalloc(bytes)))
		nr++;
	for (unsigned int i = 0; i < nr; i++)
		kfree(objects[i]);
	return nr;
}

/* What runs and slabs keep is pageblocks and a unit. */
ISOLATED_TEST(who_finds_no_area_gets_what_other_sizes_have_left)
{
	unsigned int nr_areas;

	heap_up("reserve=16M");
	nr_areas = fill(MIB(3));
	EXPECT(nr_areas >= 3);
	EXPECT(fill(MIB(1)) >= 12);
	EXPECT_EQ(fill(MIB(3)), nr_areas);
	expect_valid();
}

/* Objects that no batch had room for, which wait one by one. */
ISOLATED_TEST(trim_reaches_strays)
{
	struct slot *sleeper;

	heap_up("");
	sleeper = allocate_and_sleep();
	kfree(kmalloc(BYTES)); /* a slot of its own */
	memory_gone();
	free_all();
	EXPECT(sleeper->strays);
	memory_back();
	kmalloc_trim();
	EXPECT_EQ(sleeper->strays, NULL);
	EXPECT(slab_bytes() < KIB(256));
	expect_valid();
}

ISOLATED_TEST(trim_reaches_page_stocks)
{
	heap_up("");
	objects[0] = kmalloc(KIB(100));
	objects[1] = kmalloc(KIB(50));
	kfree(objects[0]);
	kfree(objects[1]);
	EXPECT_EQ(zone.nr_used[USE_RUN], 38);
	thread_switch(&slot_none);
	kmalloc_trim();
	EXPECT_EQ(zone.nr_used[USE_RUN], 0);
	expect_valid();
}

/* Objects in use, until the runs that sleepers keep are fewer than `nr_pages`. */
static void grow_until_runs_below(size_t nr_pages)
{
	for (unsigned int nr = 0; zone.nr_used[USE_RUN] >= nr_pages; nr++) {
		ASSERT(nr < NR);
		ASSERT(kmalloc(BYTES));
	}
}

/* Pages that others keep are taken before a heap that grows takes many more. */
ISOLATED_TEST(who_grows_gets_the_page_stocks_of_sleepers)
{
	struct slot *sleeper;
	size_t outgrown;

	heap_up("");
	kfree(kmalloc(KIB(100)));
	sleeper = thread_switch(&slot_none);
	kfree(kmalloc(KIB(50)));
	ASSERT_EQ(sleeper->pcp.nr_run_pages, 25);
	for (unsigned int round = 0; round < 3; round++) {
		zone.peak_shared = zone.peak_frames;
		outgrown = zone.peak_frames + zone.peak_frames / ZONE_OUTGROWN_SHARE +
			   ZONE_OUTGROWN_PAGES;
		grow_until_runs_below(25);
		EXPECT(zone.peak_frames >= outgrown);
		EXPECT(zone.peak_frames < outgrown + 16);
		EXPECT_EQ(sleeper->pcp.nr_run_pages, 0);
		EXPECT_EQ(zone.peak_shared, zone.peak_frames);
		EXPECT(!gate.closed_by);
		expect_valid();
		sleeper = thread_switch(sleeper);
		kfree(kmalloc(KIB(100)));
		sleeper = thread_switch(sleeper);
	}
}

static size_t pages_of_sleeper_after(void *(*allocate)(void))
{
	struct slot *sleeper;

	heap_up("");
	kfree(kmalloc(KIB(100)));
	sleeper = thread_switch(&slot_none);
	kfree(kmalloc(BYTES));
	zone.peak_shared = 0;
	zone.peak_frames = ZONE_OUTGROWN_PAGES;
	EXPECT(allocate());
	return sleeper->pcp.nr_run_pages;
}

static void *a_page(void)
{
	return pages_alloc(1, 1, STITCH_GFP_KERNEL);
}

static void *an_object(void)
{
	return new_object(own_cache("objects", 308));
}

ISOLATED_TEST(who_grows_by_pages_gets_them_too)
{
	EXPECT_EQ(pages_of_sleeper_after(a_page), 0);
}

ISOLATED_TEST(who_grows_by_objects_gets_them_too)
{
	EXPECT_EQ(pages_of_sleeper_after(an_object), 0);
}

/* As many at a time as a millisecond is enough for; the next ones soon afterwards. */
ISOLATED_TEST(who_grows_gets_those_of_many_sleepers)
{
	enum { NR_SLEEPERS = 100 };
	size_t before;

	heap_up("");
	zone.peak_shared = 1 << 20;
	for (unsigned int i = 0; i < NR_SLEEPERS; i++) {
		kfree(kmalloc(KIB(100)));
		thread_switch(&slot_none);
	}
	ASSERT_EQ(zone.nr_used[USE_RUN], 25 * NR_SLEEPERS);
	before = zone.peak_frames;
	zone.peak_shared = 0;
	grow_until_runs_below(1);
	EXPECT(zone.peak_frames < before + ZONE_OUTGROWN_PAGES);
	EXPECT_EQ(zone.peak_shared, zone.peak_frames);
	expect_valid();
}

/* They have been asked before, and have had nothing since: no reason to keep others out. */
ISOLATED_TEST(who_grows_leaves_those_alone_that_have_no_pages)
{
	enum { NR_SLEEPERS = 100 };

	heap_up("");
	zone.peak_shared = 1 << 20;
	for (unsigned int i = 0; i < NR_SLEEPERS; i++) {
		kfree(kmalloc(KIB(100)));
		pcp_drain(&current_slot->pcp);
		thread_switch(&slot_none);
	}
	kfree(kmalloc(KIB(50)));
	thread_switch(&slot_none);
	zone.peak_shared = 0;
	kmalloc_drain_others(); /* the last one */
	EXPECT_EQ(zone.nr_used[USE_RUN], 0);
	EXPECT_EQ(zone.peak_shared, zone.peak_frames);
	expect_valid();
}

/* Who comes amid it leaves it to the other, who is not done yet. */
ISOLATED_TEST(who_grows_lets_another_take_page_stocks)
{
	heap_up("");
	kfree(kmalloc(KIB(100)));
	thread_switch(&slot_none);
	zone.peak_shared = 0;
	brief_closer_closes();
	kmalloc_drain_others();
	closer_opens();
	EXPECT_EQ(zone.nr_used[USE_RUN], 25);
	EXPECT_EQ(zone.peak_shared, 0);
}

/* The gate is somebody else's: that is not waited for, and tried again when there is more. */
ISOLATED_TEST(who_grows_does_without_page_stocks_amid_a_fork)
{
	size_t before;

	heap_up("");
	kfree(kmalloc(KIB(100)));
	thread_switch(&slot_none);
	ASSERT((objects[0] = kmalloc(BYTES)));
	zone.peak_shared = 0;
	closer_closes();
	kmalloc_drain_others();
	closer_opens();
	EXPECT_EQ(zone.nr_used[USE_RUN], 25);
	before = zone.peak_shared;
	EXPECT_EQ(before, zone.peak_frames);
	grow_until_runs_below(25);
	EXPECT(zone.peak_frames >= before + ZONE_OUTGROWN_PAGES);
	expect_valid();
}

/* Its thread has met a closed gate at its end. */
ISOLATED_TEST(trim_reaches_outboxes_that_were_left)
{
	struct slot *owner;

	heap_up("");
	owner = allocate_and_sleep();
	free_all();
	EXPECT(current_slot->outbox_rows);
	slot_abandon();
	gate_note_pending();
	thread_switch(owner);
	kmalloc_trim();
	EXPECT_EQ(slab_bytes(), 0);
	expect_valid();
}

/* What it cannot get at is left alone: the sheaf and the outboxes. */
ISOLATED_TEST(trim_leaves_sheaves_to_their_threads)
{
	unsigned int nr_cached;
	struct slot *sleeper;

	heap_up("");
	objects[0] = kmalloc(BYTES);
	kfree(kmalloc(BYTES));
	objects[1] = kmalloc(BYTES + 1000);
	nr_cached = sheaf_count(current_slot, class_of(BYTES));
	sleeper = thread_switch(&slot_none);
	objects[2] = kmalloc(BYTES);
	thread_switch(sleeper);
	kfree(objects[2]); /* into an outbox */
	thread_switch(&slot_none);
	kmalloc_trim();
	EXPECT_EQ(sheaf_count(sleeper, class_of(BYTES)), nr_cached);
	EXPECT(*remote_outbox(sleeper, pagemap_read(virt_to_pfn(objects[2]))));
	expect_valid();
}

/* --- children that are made meanwhile --------------------------------------------------------- */

static bool nobody_was_inside;

static bool have_a_child(struct slot *slot)
{
	(void)slot;
	slots_after_fork(nobody_was_inside);
	return true;
}

static enum slot_state state_in_child(bool announced)
{
	struct slot *slot, *other;

	heap_up("");
	kfree(kmalloc(BYTES));
	slot = thread_switch(&slot_none);
	kfree(kmalloc(BYTES));
	other = thread_switch(&slot_none);
	nobody_was_inside = announced;
	EXPECT(slot_visit_held(slot, have_a_child));
	EXPECT_EQ(other->state, SLOT_LEFT);
	EXPECT(!slot_visit_held(slot, have_a_child));
	return slot->state;
}

ISOLATED_TEST(child_loses_the_slot_that_was_worked_at)
{
	EXPECT_EQ(state_in_child(false), SLOT_LOST);
}

/* A signal handler of the thread that trims has forked: both finish. */
ISOLATED_TEST(child_that_finishes_the_work)
{
	EXPECT_EQ(state_in_child(true), SLOT_LEFT);
}

static bool have_a_child_of_holder(struct slot *slot)
{
	thread_switch(slot);
	slots_after_fork(false);
	EXPECT_EQ(current_slot, &slot_none);
	return true;
}

static bool have_a_child_of_leaver(struct slot *slot)
{
	struct slot *visitor = thread_switch(slot);

	slot_abandon();
	thread_switch(visitor);
	slots_after_fork(false);
	return true;
}

static struct slot *visited_by_another(bool (*fn)(struct slot *slot))
{
	struct slot *slot;

	heap_up("");
	kfree(kmalloc(BYTES));
	slot = thread_switch(&slot_none);
	kfree(kmalloc(BYTES));
	EXPECT(slot_visit_held(slot, fn));
	return slot;
}

/* Its own thread has made the child, by _Fork. */
ISOLATED_TEST(child_loses_its_own_slot)
{
	struct slot *slot = visited_by_another(have_a_child_of_holder);

	EXPECT_EQ(slot->state, SLOT_LOST);
	kfree(kmalloc(BYTES));
	EXPECT(slot_is_held() && current_slot != slot);
}

/* Its thread has exited meanwhile. */
ISOLATED_TEST(child_loses_a_slot_that_was_left)
{
	struct slot *slot = visited_by_another(have_a_child_of_leaver);

	EXPECT_EQ(slot->state, SLOT_LOST);
	slots_collect_left();
	EXPECT_EQ(slot->state, SLOT_LOST);
}

/* What was visited is no matter in children of the child. */
static bool have_a_child_and_grandchild(struct slot *slot)
{
	slots_after_fork(false);
	slot->state = SLOT_HELD;
	slots_after_fork(false);
	return true;
}

ISOLATED_TEST(grandchild_loses_nothing)
{
	EXPECT_EQ(visited_by_another(have_a_child_and_grandchild)->state, SLOT_LEFT);
}

ISOLATED_TEST(slots_of_others_are_found)
{
	struct slot *first, *second;

	heap_up("");
	EXPECT_EQ(slot_next_held(NULL, 0), NULL);
	kfree(kmalloc(BYTES));
	EXPECT_EQ(slot_next_held(NULL, 0), NULL);
	first = thread_switch(&slot_none);
	EXPECT_EQ(slot_next_held(NULL, 0), first);
	kfree(kmalloc(BYTES));
	second = thread_switch(&slot_none);
	EXPECT_EQ(slot_next_held(first, 0), second);
	EXPECT_EQ(slot_next_held(second, 0), NULL);
	thread_switch(second);
	mm_thread_exit();
	EXPECT_EQ(slot_next_held(first, 0), NULL);
}

/* --- the gate --------------------------------------------------------------------------------- */

ISOLATED_TEST(not_while_inside_or_closed)
{
	gate_pass *pass;

	heap_up("");
	kfree(kmalloc(BYTES));
	pass = gate_enter();
	EXPECT(!gate_close_briefly());
	gate_leave(pass);
	gate_close();
	EXPECT(!gate_close_briefly());
	EXPECT(gate.closed_by);
	gate_open();
	closer_closes();
	EXPECT(!gate_close_briefly());
	EXPECT(gate.closed_by);
	closer_opens();
	EXPECT(!gate.closed_by);
	EXPECT(gate_close_briefly());
	gate_open();
	EXPECT(!gate.closed_by);
}

/* Somebody is inside for long: it gives up and nobody is kept out. */
ISOLATED_TEST(gives_up_on_slow_ones)
{
	struct slot *other;

	heap_up("");
	kfree(kmalloc(BYTES));
	current_slot->inside = 1;
	other = thread_switch(&slot_none);
	EXPECT(!gate_close_briefly());
	EXPECT(!gate.closed_by);
	kmalloc_trim(); /* does what it can */
	other->inside = 0;
	EXPECT(gate_close_briefly());
	gate_open();
}

#define NR_SLOW 20u

static struct slot *slow_ones[NR_SLOW];

static void *let_one_after_another_leave(void *unused)
{
	for (unsigned int i = 0; i < NR_SLOW; i++) {
		wait_for_naps(1);
		slow_ones[i]->inside = 0;
	}
	return unused;
}

static void slow_ones_enter(void)
{
	for (unsigned int i = 0; i < NR_SLOW; i++) {
		thread_switch(&slot_none);
		kfree(kmalloc(BYTES));
		slow_ones[i] = current_slot;
	}
	for (unsigned int i = 0; i < NR_SLOW; i++)
		slow_ones[i]->inside = 1;
	thread_switch(&slot_none);
}

/* Its patience is for all of them together. */
ISOLATED_TEST(gives_up_on_many_that_are_a_little_slow)
{
	unsigned int nr_naps;
	pthread_t thread;

	heap_up("");
	slow_ones_enter();
	ASSERT(!pthread_create(&thread, NULL, let_one_after_another_leave, NULL));
	EXPECT(!gate_close_briefly());
	nr_naps = os_fake_calls(OS_CALL_NAP);
	EXPECT_EQ(nr_naps, 10);
	while (slow_ones[NR_SLOW - 1]->inside)
		os_nap(1);
	pthread_join(thread, NULL);
	EXPECT(gate_close_briefly());
	gate_open();
}

/* Whose gate it is does not matter to another who would have it: the refused wait on. */
ISOLATED_TEST(a_loser_leaves_the_gate_as_it_is)
{
	heap_up("");
	kfree(kmalloc(BYTES));
	brief_closer_closes();
	EXPECT(!gate_close_briefly());
	EXPECT(gate_is_closed_briefly());
	closer_opens();
	EXPECT(!gate.closed_by);
}

/* Not for ever; and not at all for a thread that forks. */
ISOLATED_TEST(who_is_refused_waits_a_little)
{
	gate_pass *pass;

	heap_up("");
	kfree(kmalloc(BYTES));
	pass = gate_enter_soon();
	ASSERT(pass);
	EXPECT_EQ(gate_enter_soon(), NULL);
	gate_leave(pass);
	EXPECT_EQ(os_fake_calls(OS_CALL_NAP), 0);
	brief_closer_closes();
	EXPECT_EQ(gate_enter_soon(), NULL);
	EXPECT_EQ(os_fake_calls(OS_CALL_NAP), 10);
	objects[0] = kmalloc(MIB(1));
	EXPECT(emergency_contains(objects[0]));
	closer_opens();
	closer_closes();
	EXPECT_EQ(gate_enter_soon(), NULL);
	EXPECT_EQ(os_fake_calls(OS_CALL_NAP), 20);
	closer_opens();
	kfree(objects[0]);
}

/* Or when nobody will any more: this thread may have begun too late. */
static void *open_when_somebody_naps(void *unused)
{
	unsigned int before = os_fake_calls(OS_CALL_NAP);

	while (!may_open && os_fake_calls(OS_CALL_NAP) == before)
		sched_yield();
	may_open = true;
	return unused;
}

static void *had_while_closed(void *(*allocate)(void))
{
	pthread_t opener;
	void *object;

	brief_closer_closes();
	ASSERT(!pthread_create(&opener, NULL, open_when_somebody_naps, NULL));
	object = allocate();
	may_open = true;
	pthread_join(opener, NULL);
	closer_opens();
	ASSERT(object);
	return object;
}

/* Some time of many the closer opens within the ten naps. NULL: never. */
static void *served_while_closed(void *(*allocate)(void))
{
	void *object;

	for (unsigned int i = 0; i < 200; i++) {
		object = had_while_closed(allocate);
		if (!emergency_contains(object))
			return object;
		kfree(object);
	}
	return NULL;
}

static void *one_mib(void)
{
	return kmalloc(MIB(1));
}

ISOLATED_TEST(who_waits_is_served_by_the_heap)
{
	void *object;

	heap_up("");
	kfree(kmalloc(BYTES));
	object = served_while_closed(one_mib);
	EXPECT(object);
	kfree(object);
}

static void *aligned_to_line(void)
{
	return kmalloc_aligned(64, 128);
}

/* With the same as when nothing was closed: a kmem_cache that is an alias counts on it. */
ISOLATED_TEST(who_waits_gets_an_object_of_the_class)
{
	void *object;

	heap_up("");
	kfree(kmalloc(BYTES));
	object = served_while_closed(aligned_to_line);
	ASSERT(object);
	EXPECT_EQ(owner_of(object).kind, OWNER_SLAB);
	EXPECT_EQ(ksize(object), 128);
	kfree(object);
}

static void *two_mib_of_one(void)
{
	return krealloc(objects[0], MIB(2));
}

/* Of one MiB: some time of many it has waited for the gate. */
static bool grows_in_place(void)
{
	bool in_place = false;
	void *grown;

	for (unsigned int i = 0; i < 200 && !in_place; i++) {
		objects[0] = kmalloc(MIB(1));
		grown = had_while_closed(two_mib_of_one);
		in_place = grown == objects[0];
		kfree(grown);
	}
	return in_place;
}

ISOLATED_TEST(who_waits_grows_in_place)
{
	heap_up("");
	kfree(kmalloc(BYTES));
	EXPECT(grows_in_place());
	expect_valid();
}

static bool moves_frames(void)
{
	for (unsigned int i = 0; i < 200 && !stitch_counts.relocated; i++) {
		objects[0] = kmalloc(MIB(1));
		objects[1] = kmalloc(MIB(1)); /* behind it */
		memset(objects[0], 1, MIB(1));
		kfree(had_while_closed(two_mib_of_one));
		kfree(objects[1]);
		kmalloc_trim();
	}
	return stitch_counts.relocated;
}

ISOLATED_TEST(who_waits_moves_without_copying)
{
	heap_up("");
	kfree(kmalloc(BYTES));
	EXPECT(moves_frames());
	expect_valid();
}

/* Nobody has to come by: the thread may be the only one, and sleep now. */
ISOLATED_TEST(who_opens_sees_to_what_was_refused)
{
	heap_up("");
	objects[0] = kmalloc(MIB(1));
	ASSERT_EQ(zone.nr_used[USE_RUN], 256);
	brief_closer_closes();
	kfree(objects[0]);
	EXPECT_EQ(zone.nr_used[USE_RUN], 256);
	closer_opens();
	EXPECT_EQ(zone.nr_used[USE_RUN], 0);
	expect_valid();
}

/* A handler in the thread that trims works outside the heap. */
ISOLATED_TEST(handlers_of_who_trims_keep_off)
{
	gate_pass *pass;

	heap_up("");
	kfree(kmalloc(BYTES));
	ASSERT(gate_close_briefly());
	pass = gate_enter();
	ASSERT(pass);
	objects[0] = kmalloc(MIB(1));
	EXPECT(emergency_contains(objects[0]));
	mm_fork_prepare();
	mm_fork_parent();
	EXPECT(gate.closed_by);
	gate_leave(pass);
	gate_open();
	EXPECT(!gate.closed_by);
	kfree(objects[0]);
}

RUN_TESTS
