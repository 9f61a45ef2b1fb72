/*
 * test_gate.c - who is refused, and how he is served; who waits, and for how long.
 *
 * The gate's other side is in test_gate_closing.c, what children find in test_gate_fork.c.
 */
#include "kunit.h"
#include "isolated.h"
#include "gate_test.h"
#include "mm/emergency.h"

static void *open_when_somebody_naps(void *unused)
{
	wait_for_naps(3);
	may_open = true;
	return unused;
}

/* --- refusal ---------------------------------------------------------------------------------- */

static bool is_filled(const void *object, size_t bytes, unsigned char tag)
{
	const unsigned char *byte = object;

	return !bytes || (byte[0] == tag && !memcmp(byte, byte + 1, bytes - 1));
}

static void expect_emergency(void *object, size_t bytes)
{
	ASSERT(object);
	EXPECT(emergency_contains(object));
	EXPECT(ksize(object) >= bytes);
	memset(object, 0x77, bytes);
}

static void expect_zero_emergency(size_t bytes)
{
	void *object = kzalloc(bytes);

	ASSERT(object);
	EXPECT(is_filled(object, bytes, 0));
	expect_emergency(object, bytes);
	kfree(object);
}

static const size_t sizes[] = { 0, 1, 100, 16384, 16385, 70000, MIB(1), MIB(3) };

static void expect_all_served(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *object = kmalloc(sizes[i]);

		expect_emergency(object, sizes[i]);
		kfree(object);
		expect_zero_emergency(sizes[i]);
		object = kmalloc_pages_of_own(sizes[i]);
		expect_emergency(object, sizes[i]);
		EXPECT_EQ((uintptr_t)object % PAGE_SIZE, 0);
		kfree(object);
		for (size_t align = 16; align <= MIB(2); align *= 4) {
			object = kmalloc_aligned(align, sizes[i]);
			expect_emergency(object, sizes[i]);
			EXPECT_EQ((uintptr_t)object % align, 0);
			kfree(object);
		}
	}
}

static void sheaves_empty(void)
{
	slots_visit_free(sheaves_drain, 0);
	if (slot_is_held())
		sheaves_drain(current_slot);
}

static void expect_heap_unchanged(void (*body)(void))
{
	unsigned int state = current_slot->state;
	struct kmalloc_usage before, after;

	kmalloc_usage_read(&before);
	closer_closes();
	body();
	EXPECT_EQ(current_slot->state, state);
	EXPECT_EQ(current_slot->inside, 0);
	EXPECT(!gate_visiting);
	closer_opens();
	kmalloc_usage_read(&after);
	EXPECT_EQ(after.small_live + after.run_live + after.area_live,
		  before.small_live + before.run_live + before.area_live);
	EXPECT_EQ(after.opened, before.opened);
	EXPECT_EQ(after.emergency_live, before.emergency_live);
	expect_valid();
}

ISOLATED_TEST(others_are_served_while_one_forks)
{
	heap_up("");
	kfree(kmalloc(KIB(20)));
	sheaves_empty();
	expect_heap_unchanged(expect_all_served);
	/* A thread that has never had a slot, and one that has left it. */
	thread_switch(&slot_none);
	expect_heap_unchanged(expect_all_served);
	EXPECT_EQ(current_slot, &slot_none);
	thread_switch(&slot_gone);
	expect_heap_unchanged(expect_all_served);
}

ISOLATED_TEST(in_hardened_mode_too)
{
	heap_up("hardened=1");
	kfree(kmalloc(KIB(20)));
	expect_heap_unchanged(expect_all_served);
}

static void expect_moved(size_t bytes, size_t new_bytes)
{
	size_t nr_kept = bytes < new_bytes ? bytes : new_bytes;
	char *object = kmalloc(bytes), *moved;

	memset(object, 0x55, bytes);
	sheaves_empty();
	closer_closes();
	moved = krealloc(object, new_bytes);
	EXPECT(emergency_contains(moved));
	EXPECT(is_filled(moved, nr_kept, 0x55));
	EXPECT_EQ(krealloc(moved, ksize(moved)), moved);
	moved = krealloc(moved, new_bytes * 2);
	EXPECT(is_filled(moved, nr_kept, 0x55));
	closer_opens();
	moved = krealloc(moved, new_bytes * 4);
	EXPECT(!emergency_contains(moved));
	EXPECT(is_filled(moved, nr_kept, 0x55));
	kfree(moved);
}

ISOLATED_TEST(realloc_moves_out_of_the_closed_heap)
{
	heap_up("");
	expect_moved(100, 5000);
	expect_moved(5000, 100);
	expect_moved(KIB(100), KIB(300));
	expect_moved(KIB(300), KIB(20));
	expect_moved(MIB(5), MIB(6));
	expect_moved(MIB(6), MIB(3));
	kfree(kmalloc(KIB(100)));
	EXPECT_EQ(emergency_live(), 0);
	expect_valid();
}

/* What the fast paths have in their own sheaves they give and take without asking. */
ISOLATED_TEST(the_fast_paths_are_not_refused)
{
	void *object;

	heap_up("");
	object = kmalloc(100);
	kfree(object);
	closer_closes();
	EXPECT_EQ(kmalloc(100), object);
	kfree(object);
	EXPECT(!gate.pending);
	EXPECT_EQ(kmalloc_aligned(16, 100), object);
	kfree(object);
	closer_opens();
}

static struct slot *theirs;
static _Atomic bool may_exit, has_slot;

static void *live_and_exit(void *unused)
{
	kfree(kmalloc(100));
	theirs = current_slot;
	has_slot = true;
	while (!may_exit)
		sched_yield();
	mm_thread_exit();
	EXPECT_EQ(current_slot, &slot_gone);
	return unused;
}

ISOLATED_TEST(threads_exit_while_one_forks)
{
	pthread_t thread;

	heap_up("");
	kfree(kmalloc(KIB(100)));
	ASSERT(!pthread_create(&thread, NULL, live_and_exit, NULL));
	while (!has_slot)
		sched_yield();
	closer_closes();
	may_exit = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(theirs->state, SLOT_LEFT);
	closer_opens();
	kfree(kmalloc(KIB(100)));
	EXPECT_EQ(theirs->state, SLOT_FREE);
	EXPECT_EQ(slot_count_held(), 1);
	expect_valid();
}

/* A thread that leaves its slot does not work off what is pending: nothing shows it in the slot. */
ISOLATED_TEST(who_leaves_settles_nothing)
{
	heap_up("");
	kfree(kmalloc(KIB(100)));
	gate_note_pending();
	mm_thread_exit();
	EXPECT(gate.pending);
	EXPECT_EQ(current_slot, &slot_gone);
	kfree(kmalloc(KIB(100)));
	EXPECT(!gate.pending);
}

/* --- reports ---------------------------------------------------------------------------------- */

static void make_free_pages(void)
{
	void *object = kmalloc(MIB(1));

	memset(object, 1, MIB(1));
	kfree(object);
}

static void with_patience(void (*body)(void))
{
	pthread_t opener;

	closer_closes();
	ASSERT(!pthread_create(&opener, NULL, open_when_somebody_naps, NULL));
	body();
	pthread_join(opener, NULL);
	closer_opens();
}

static void expect_usage(void)
{
	struct kmalloc_usage usage;

	kmalloc_usage_read(&usage);
	EXPECT(usage.opened > 0);
}

static void expect_trim(void)
{
	EXPECT(kmalloc_trim()); /* there is a page to be released */
}

static void expect_boot(void)
{
	EXPECT(mm_init());
}

ISOLATED_TEST(the_first_call_waits_for_a_fork)
{
	os_fake_reset();
	with_patience(expect_boot);
	kfree(kmalloc(100));
	expect_valid();
}

ISOLATED_TEST(reports_wait_for_a_fork)
{
	heap_up("");
	make_free_pages();
	with_patience(expect_usage);
	with_patience(expect_trim);
	make_free_pages();
	thread_switch(&slot_gone);
	with_patience(expect_usage);
	with_patience(expect_trim);
}

ISOLATED_TEST(reports_do_not_wait_for_ever)
{
	struct kmalloc_usage usage;

	heap_up("");
	memset(kmalloc(KIB(100)), 1, KIB(100));
	closer_closes();
	kmalloc_usage_read(&usage);
	EXPECT_EQ(usage.opened, 0);
	closer_opens();
}

static void *kept[3000];

/* Only when there is no emergency memory any more. */
static void expect_heap_object(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++)
		if (!(kept[i] = emergency_alloc(KIB(100), 16)))
			break;
	EXPECT(!emergency_alloc(KIB(100), 16));
	kept[0] = kmalloc(KIB(100));
	EXPECT(kept[0] && !emergency_contains(kept[0]));
	memset(kept[0], 1, KIB(100));
	kfree(kept[0]);
}

static void expect_zero_heap_object(void)
{
	kept[0] = kzalloc(KIB(100));
	EXPECT(kept[0] && !emergency_contains(kept[0]));
	EXPECT(is_filled(kept[0], KIB(100), 0));
	kfree(kept[0]);
}

static void expect_aligned_heap_object(void)
{
	kept[0] = kmalloc_aligned(KIB(64), KIB(100));
	EXPECT(kept[0] && !emergency_contains(kept[0]));
	EXPECT_EQ((uintptr_t)kept[0] % KIB(64), 0);
	kfree(kept[0]);
}

static void expect_tiny_heap_objects(void)
{
	void *object;

	while ((object = emergency_alloc(1, 16)))
		;
	sheaves_empty();
	object = kmalloc(10);
	EXPECT(object && !emergency_contains(object));
	kfree(object);
	sheaves_empty();
	object = kmalloc_aligned(2048, 10);
	EXPECT(object && !emergency_contains(object));
	EXPECT_EQ((uintptr_t)object % 2048, 0);
	kfree(object);
}

ISOLATED_TEST(without_emergency_memory_malloc_waits_for_the_fork)
{
	heap_up("reserve=64M");
	with_patience(expect_heap_object);
	with_patience(expect_zero_heap_object);
	with_patience(expect_aligned_heap_object);
	with_patience(expect_tiny_heap_objects);
	expect_valid();
}

/* --- closed for good -------------------------------------------------------------------------- */

ISOLATED_TEST(closed_for_good_nobody_waits)
{
	struct kmalloc_usage usage;
	void *object;

	heap_up("");
	object = kmalloc(KIB(100));
	gate.closed_by = GATE_CLOSED_FOR_GOOD;
	expect_all_served();
	kfree(object);
	EXPECT(gate.pending);
	while (emergency_alloc(KIB(100), 16))
		;
	EXPECT(!kmalloc(KIB(100)));
	EXPECT(!kzalloc(KIB(100)));
	EXPECT(!kmalloc_aligned(64, KIB(100)));
	kmalloc_usage_read(&usage);
	EXPECT_EQ(usage.opened, 0);
	EXPECT(!kmalloc_trim());
	gate_close();
	gate_close();
	gate_open();
	gate_open();
	EXPECT_EQ(gate.closed_by, GATE_CLOSED_FOR_GOOD);
	mm_thread_exit();
	EXPECT_EQ(current_slot, &slot_gone);
	EXPECT_EQ(os_fake_calls(OS_CALL_NAP), 0);
	EXPECT(gate.pending);
}

/* --- signal handlers -------------------------------------------------------------------------- */

static void expect_served_inside(void)
{
	struct kmalloc_usage usage;

	expect_all_served();
	kmalloc_usage_read(&usage);
	EXPECT_EQ(usage.opened, 0);
	EXPECT(!kmalloc_trim());
	EXPECT_EQ(os_fake_calls(OS_CALL_NAP), 0);
}

ISOLATED_TEST(a_handler_amid_a_slow_path_is_served)
{
	gate_pass *pass;
	void *object;

	heap_up("");
	object = kmalloc(KIB(100));
	sheaves_empty();
	pass = gate_enter();
	ASSERT_EQ(pass, &current_slot->inside);
	expect_served_inside();
	kfree(object);
	EXPECT(gate.pending);
	EXPECT(*pass);
	gate_leave(pass);
	EXPECT_EQ(*pass, 0);
	kfree(kmalloc(KIB(200)));
	EXPECT(!gate.pending);
	EXPECT_EQ(emergency_live(), 0);
	expect_valid();
}

/* It does not wait for the fork of its own thread, which waits for it. */
ISOLATED_TEST(a_handler_amid_a_slow_path_amid_a_fork_is_served)
{
	gate_pass *pass;

	heap_up("");
	kfree(kmalloc(KIB(100)));
	sheaves_empty();
	gate_close();
	pass = gate_enter();
	ASSERT(pass);
	expect_served_inside();
	gate_leave(pass);
	gate_open();
	kfree(kmalloc(KIB(100)));
	expect_valid();
}

ISOLATED_TEST(a_handler_amid_a_visit_is_served)
{
	struct slot *mine;
	gate_pass *pass;

	heap_up("");
	kfree(kmalloc(100));
	mine = thread_switch(&slot_gone);
	pass = gate_enter();
	ASSERT(pass && gate_visiting);
	expect_served_inside();
	/* The visitor leaves his slot just now. */
	thread_switch(mine);
	sheaves_empty();
	expect_served_inside();
	thread_switch(&slot_none);
	expect_served_inside();
	EXPECT_EQ(current_slot, &slot_none);
	gate_leave(pass);
	EXPECT(!gate_visiting);
	for (unsigned int i = 0; i < NR_VISITOR_PASSES; i++)
		EXPECT_EQ(gate.visitors[i], 0);
}

RUN_TESTS
