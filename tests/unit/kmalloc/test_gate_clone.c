/*
 * test_gate_clone.c - what the child of a raw clone finds where another thread was amid something
 * that no lock is held for.
 */
#include "kunit.h"
#include "isolated.h"
#include "core/lock.h"
#include "gate_fork_test.h"
#include "mm/reserve.h"

static pthread_t dweller;
static struct slot *slot_of_dweller;
static _Atomic bool is_there, may_leave;

static void expect_slot_lost(void)
{
	expect_open();
	EXPECT_EQ(slot_of_dweller->state, SLOT_LOST);
}

static void *take_slot_and_dwell(void *unused)
{
	gate_pass *pass = gate_enter();

	EXPECT(pass);
	slot_of_dweller = slot_enter();
	EXPECT(slot_is_held());
	is_there = true;
	while (!may_leave)
		sched_yield();
	slot_leave(slot_of_dweller);
	gate_leave(pass);
	EXPECT_EQ(slot_of_dweller->inside, 0);
	kfree(kmalloc(100));
	mm_thread_exit();
	return unused;
}

/* Its thread may be amid a slow path: it has come by a visitor's pass, and is in it still. */
ISOLATED_TEST(a_slot_that_was_just_taken_is_lost)
{
	heap_up("");
	use_everything();
	is_there = may_leave = false;
	ASSERT(!pthread_create(&dweller, NULL, take_slot_and_dwell, NULL));
	while (!is_there)
		sched_yield();
	in_child(clone_raw, expect_slot_lost);
	expect_open_children(clone_raw);
	may_leave = true;
	pthread_join(dweller, NULL);
	expect_open();
}

static void *fill_reserve(void *unused)
{
	gate_pass *pass = gate_enter();

	EXPECT(pass);
	EXPECT(reserve_fill(KIB(256)));
	gate_leave(pass);
	mm_thread_exit();
	return unused;
}

static void expect_reserve_grows(void)
{
	gate_pass *pass;

	lock_release(LOCK_ZONE); /* of this thread, here too */
	pass = gate_enter();
	ASSERT(pass);
	EXPECT(reserve_fill(KIB(256)));
	gate_leave(pass);
	expect_open();
}

ISOLATED_TEST(a_reserve_that_was_growing_can_grow)
{
	heap_up("");
	use_everything();
	lock_acquire(LOCK_ZONE);
	ASSERT(!pthread_create(&dweller, NULL, fill_reserve, NULL));
	while (!os_fake_calls(OS_CALL_FUTEX_WAIT_FOR))
		sched_yield();
	in_child(clone_raw, expect_reserve_grows);
	lock_release(LOCK_ZONE);
	pthread_join(dweller, NULL);
	EXPECT_EQ(reserve_total(), KIB(256));
	expect_open();
}

RUN_TESTS
