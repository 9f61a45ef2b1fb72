/*
 * test_gate_closing.c - who forks waits for those inside, but for none who may wait for him.
 */
#include "kunit.h"
#include "isolated.h"
#include "core/lock.h"
#include "gate_test.h"
#include "mm/emergency.h"

#define NR_THREADS 3u

static _Atomic bool may_leave, is_inside;

static void *dwell_inside(void *slot)
{
	gate_pass *pass;

	current_slot = slot;
	pass = gate_enter();
	EXPECT(pass);
	is_inside = true;
	while (!may_leave)
		sched_yield();
	gate_leave(pass);
	return NULL;
}

static pthread_t dweller;

static void dweller_enters(struct slot *slot)
{
	is_inside = may_leave = false;
	ASSERT(!pthread_create(&dweller, NULL, dwell_inside, slot));
	while (!is_inside)
		sched_yield();
}

static void dweller_leaves(void)
{
	may_leave = true;
	pthread_join(dweller, NULL);
}

static struct slot *another_slot(void)
{
	struct slot *mine = thread_switch(&slot_none);

	kfree(kmalloc(100));
	return thread_switch(mine);
}

static void expect_fork_waits_for(struct slot *slot)
{
	dweller_enters(slot);
	closer_start();
	wait_for_naps(70); /* more than handlers take */
	EXPECT(!is_closed);
	EXPECT(gate.closed_by);
	dweller_leaves();
	while (!is_closed)
		sched_yield();
	closer_opens();
	EXPECT(!gate.closed_by);
}

ISOLATED_TEST(a_fork_waits_for_those_inside)
{
	heap_up("");
	kfree(kmalloc(100));
	expect_fork_waits_for(another_slot());
	expect_fork_waits_for(&slot_none);
	expect_fork_waits_for(&slot_gone);
	expect_valid();
}

/* Who forks is inside by himself, and the slots of nobody are empty. */
ISOLATED_TEST(a_fork_waits_for_nobody_else)
{
	struct slot *free_one;

	heap_up("");
	kfree(kmalloc(100));
	free_one = another_slot();
	thread_switch(free_one);
	mm_thread_exit();
	thread_switch(slot_by_id(2));
	gate_close();
	EXPECT_EQ(os_fake_calls(OS_CALL_NAP), 0);
	EXPECT(gate.closed_by);
	kfree(kmalloc(KIB(100)));
	gate_open();
	EXPECT(!gate.closed_by);
	/* A lost one may show anything. */
	free_one->state = SLOT_LOST;
	free_one->inside = 1;
	gate_close();
	gate_open();
	EXPECT_EQ(os_fake_calls(OS_CALL_NAP), 0);
}

ISOLATED_TEST(open_without_close_is_nothing)
{
	heap_up("");
	gate_open();
	closer_closes();
	gate_open();
	EXPECT(gate.closed_by);
	closer_opens();
	gate_close();
	gate_close();
	gate_open();
	EXPECT(gate.closed_by);
	gate_open();
	EXPECT(!gate.closed_by);
	gate_open();
	EXPECT(!gate.closed_by);
	closer_closes();
	EXPECT(gate.closed_by);
	closer_opens();
}

static void *expect_held(void *unused)
{
	gate_pass *pass = gate_enter();

	EXPECT(!pass);
	return unused;
}

/* As the handler of a thread that forks may: still closed for others until the last is through. */
ISOLATED_TEST(a_handler_forks_amid_a_fork)
{
	pthread_t thread;

	heap_up("");
	kfree(kmalloc(100));
	gate_close();
	gate_close();
	kfree(kmalloc(KIB(100)));
	gate_open();
	ASSERT(!pthread_create(&thread, NULL, expect_held, NULL));
	pthread_join(thread, NULL);
	kfree(kmalloc(KIB(100)));
	gate_open();
	EXPECT(!gate.closed_by);
}

/* --- handlers that fork, amid a slow path ----------------------------------------------------*/

/* Nobody else is inside: it does not wait for itself. */
ISOLATED_TEST(an_interrupted_thread_forks_alone)
{
	gate_pass *pass;

	heap_up("");
	kfree(kmalloc(100));
	for (unsigned int i = 0; i < 2; i++) {
		pass = gate_enter();
		gate_close();
		gate_open();
		EXPECT(!gate.closed_by);
		EXPECT(*pass);
		gate_leave(pass);
		thread_switch(&slot_gone);
	}
	EXPECT_EQ(os_fake_calls(OS_CALL_NAP), 0);
}

/* It waits a while for one who may be waiting for it. */
ISOLATED_TEST(an_interrupted_thread_forks_beside_another)
{
	gate_pass *pass;

	heap_up("");
	kfree(kmalloc(100));
	dweller_enters(another_slot());
	pass = gate_enter();
	gate_close();
	EXPECT(os_fake_calls(OS_CALL_NAP) >= 10);
	EXPECT(gate.closed_by);
	gate_open();
	EXPECT(!gate.closed_by);
	EXPECT(*pass);
	gate_leave(pass);
	/* The same of a visitor beside a visitor. */
	dweller_leaves();
	dweller_enters(&slot_gone);
	thread_switch(&slot_gone);
	pass = gate_enter();
	gate_close();
	gate_open();
	EXPECT(!gate.closed_by);
	EXPECT(*pass);
	gate_leave(pass);
	dweller_leaves();
}

/* Another one forks and waits until the handler is through. */
ISOLATED_TEST(an_interrupted_thread_forks_beneath_a_fork)
{
	gate_pass *pass;

	heap_up("");
	kfree(kmalloc(100));
	pass = gate_enter();
	closer_start();
	wait_for_naps(10);
	EXPECT(!is_closed);
	gate_close();
	gate_open();
	EXPECT(gate.closed_by);
	EXPECT(!is_closed);
	gate_leave(pass);
	while (!is_closed)
		sched_yield();
	EXPECT(!gate_enter());
	closer_opens();
	pass = gate_enter();
	EXPECT(pass);
	gate_leave(pass);
}

static _Atomic bool has_zone;

static void *take_zone(void *unused)
{
	lock_acquire(LOCK_ZONE);
	has_zone = true;
	lock_release(LOCK_ZONE);
	return unused;
}

/* Nobody holds a lock that the interrupted slow path may need, while the handler forks. */
ISOLATED_TEST(an_interrupted_thread_has_its_locks)
{
	pthread_t thread;
	gate_pass *pass;

	heap_up("");
	kfree(kmalloc(100));
	pass = gate_enter();
	lock_acquire(LOCK_BARN);
	gate_close();
	ASSERT(!pthread_create(&thread, NULL, take_zone, NULL));
	while (!os_fake_calls(OS_CALL_FUTEX_WAIT_FOR))
		sched_yield();
	EXPECT(!has_zone);
	gate_open();
	pthread_join(thread, NULL);
	EXPECT(has_zone);
	lock_release(LOCK_BARN);
	gate_leave(pass);
	/* A fork that interrupts nothing takes none. */
	has_zone = false;
	gate_close();
	ASSERT(!pthread_create(&thread, NULL, take_zone, NULL));
	pthread_join(thread, NULL);
	EXPECT(has_zone);
	gate_open();
}

/* --- many visitors ---------------------------------------------------------------------------- */

static _Atomic unsigned int nr_inside;

static void *dwell_as_visitor(void *unused)
{
	gate_pass *pass = gate_enter_visiting();

	EXPECT(pass);
	nr_inside++;
	while (!may_leave)
		sched_yield();
	nr_inside--;
	gate_leave(pass);
	return unused;
}

/* There are only so many passes: the next one waits until one is given back. */
ISOLATED_TEST(more_visitors_than_passes)
{
	pthread_t threads[NR_VISITOR_PASSES + 10];

	heap_up("");
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT(!pthread_create(&threads[i], NULL, dwell_as_visitor, NULL));
	while (nr_inside < NR_VISITOR_PASSES)
		sched_yield();
	wait_for_naps(50);
	EXPECT_EQ(nr_inside, NR_VISITOR_PASSES);
	may_leave = true;
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(nr_inside, 0);
	for (unsigned int i = 0; i < NR_VISITOR_PASSES; i++)
		EXPECT_EQ(gate.visitors[i], 0);
}

/* While a thread forks it does not even look for a pass: the thread that forks waits for these. */
ISOLATED_TEST(no_pass_is_taken_while_one_forks)
{
	heap_up("");
	closer_closes();
	for (unsigned int i = 0; i < NR_VISITOR_PASSES; i++)
		gate.visitors[i] = 1;
	EXPECT(!gate_enter_visiting());
	EXPECT(!gate_visiting);
	EXPECT_EQ(os_fake_calls(OS_CALL_NAP), 0);
	for (unsigned int i = 0; i < NR_VISITOR_PASSES; i++)
		gate.visitors[i] = 0;
	closer_opens();
}

/* --- under load ------------------------------------------------------------------------------- */

static _Atomic unsigned int nr_at_work, nr_closers;
static _Atomic bool stop;

static void work_inside(uint64_t *random)
{
	gate_pass *pass = gate_enter();

	if (!pass)
		return;
	nr_at_work++;
	for (uint64_t i = kunit_below(random, 100); i > 0; i--)
		cpu_relax();
	nr_at_work--;
	gate_leave(pass);
}

/* With a slot, without one, and from one to the other. */
static void *work_at_times(void *argument)
{
	uint64_t random = (uintptr_t)argument;

	while (!stop) {
		for (unsigned int i = 0; i < 100; i++) {
			work_inside(&random);
			kfree(kmalloc(kunit_below(&random, 30000)));
		}
		mm_thread_exit();
		if (kunit_below(&random, 2))
			current_slot = &slot_none;
	}
	mm_thread_exit();
	return NULL;
}

static void close_alone(void)
{
	gate_close();
	EXPECT_EQ(++nr_closers, 1);
	for (unsigned int i = 0; i < 500; i++) {
		if (nr_at_work)
			EXPECT_EQ(nr_at_work, 0);
		cpu_relax();
	}
	kfree(kmalloc(KIB(20)));
	nr_closers--;
	gate_open();
}

static void *close_at_times(void *unused)
{
	for (unsigned int i = 0; i < 1500; i++)
		close_alone();
	mm_thread_exit();
	return unused;
}

/* At any time one thread has the gate closed at most, and then nobody else is inside. */
static void expect_closers_alone(const char *options)
{
	pthread_t workers[NR_THREADS], closers[2];

	heap_up(options);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		ASSERT(!pthread_create(&workers[i], NULL, work_at_times, (void *)(i + 1)));
	for (unsigned int i = 0; i < ARRAY_SIZE(closers); i++)
		ASSERT(!pthread_create(&closers[i], NULL, close_at_times, NULL));
	for (unsigned int i = 0; i < ARRAY_SIZE(closers); i++)
		pthread_join(closers[i], NULL);
	stop = true;
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(workers[i], NULL);
	kfree(kmalloc(KIB(20)));
	EXPECT_EQ(emergency_live(), 0);
	EXPECT(!gate.closed_by);
	EXPECT(slot_count_held() <= 1);
	expect_valid();
}

ISOLATED_TEST(who_closes_is_alone)
{
	expect_closers_alone("");
}

ISOLATED_TEST(who_closes_is_alone_in_hardened_mode)
{
	expect_closers_alone("hardened=1");
}

RUN_TESTS
