/*
 * test_gate_fork.c - what the children of forks find, announced or not, whoever was inside.
 */
#include "kunit.h"
#include "isolated.h"
#include "core/lock.h"
#include "gate_fork_test.h"

/* --- a thread at rest at one place ------------------------------------------------------------ */

static pthread_t dweller;
static struct slot *slot_of_dweller;
static _Atomic bool is_there, may_leave;
static _Atomic int lock_of_dweller; /* -1: none */

static void *dwell(void *visiting)
{
	gate_pass *pass;

	kfree(kmalloc(KIB(100)));
	slot_of_dweller = current_slot;
	if (visiting)
		thread_switch(&slot_gone);
	pass = gate_enter();
	EXPECT(pass);
	if (lock_of_dweller >= 0)
		lock_acquire((enum lock_rank)lock_of_dweller);
	is_there = true;
	while (!may_leave)
		sched_yield();
	if (lock_of_dweller >= 0)
		lock_release((enum lock_rank)lock_of_dweller);
	gate_leave(pass);
	thread_switch(slot_of_dweller);
	mm_thread_exit();
	return NULL;
}

static void dweller_enters(bool visiting, int lock)
{
	lock_of_dweller = lock;
	is_there = may_leave = false;
	ASSERT(!pthread_create(&dweller, NULL, dwell, visiting ? &dweller : NULL));
	while (!is_there)
		sched_yield();
}

static void dweller_leaves(void)
{
	may_leave = true;
	pthread_join(dweller, NULL);
}

/* --- nobody inside ---------------------------------------------------------------------------- */

ISOLATED_TEST(children_of_one_thread)
{
	heap_up("");
	expect_open_children(fork_announced);
	expect_open_children(clone_raw);
	use_everything();
	expect_open_children(fork_announced);
	expect_open_children(clone_raw);
	thread_switch(&slot_gone);
	expect_open_children(fork_announced);
	expect_open_children(clone_raw);
}

ISOLATED_TEST(children_in_hardened_mode)
{
	heap_up("hardened=1");
	use_everything();
	expect_open_children(fork_announced);
	expect_open_children(clone_raw);
}

static void expect_slot_free(void)
{
	kfree(kmalloc(KIB(100)));
	EXPECT_EQ(slot_of_dweller->state, SLOT_FREE);
	expect_open();
}

static _Atomic bool at_rest;

static void *rest(void *unused)
{
	kfree(kmalloc(100));
	slot_of_dweller = current_slot;
	at_rest = true;
	while (!may_leave)
		sched_yield();
	mm_thread_exit();
	return unused;
}

static pthread_t rester;

static void rester_starts(void)
{
	at_rest = may_leave = false;
	ASSERT(!pthread_create(&rester, NULL, rest, NULL));
	while (!at_rest)
		sched_yield();
}

static void rester_ends(void)
{
	EXPECT_EQ(slot_of_dweller->state, SLOT_HELD);
	may_leave = true;
	pthread_join(rester, NULL);
	expect_open();
}

/* A thread outside leaves its slot to the child. */
ISOLATED_TEST(slots_of_absent_threads)
{
	heap_up("");
	use_everything();
	rester_starts();
	in_child(fork_announced, expect_slot_free);
	in_child(clone_raw, expect_slot_free);
	rester_ends();
}

/* A kernel that wipes no pages: children are recognised when they are announced. */
ISOLATED_TEST(children_without_the_wiped_page)
{
	static const char *const environment[] = { NULL };

	os_fake_reset();
	os_fake_start_set(environment, false);
	os_fake_feature(OS_FEATURE_WIPE_ON_FORK, false);
	ASSERT(mm_init());
	use_everything();
	rester_starts();
	in_child(fork_announced, expect_slot_free);
	in_child(fork_announced, threads_first);
	in_child(clone_raw, expect_open_here);
	rester_ends();
}

/* Whoever comes to the closed gate shows for a moment that he is inside, and is not. */
ISOLATED_TEST(a_refused_thread_has_not_been_inside)
{
	struct slot *mine;

	heap_up("");
	use_everything();
	mine = thread_switch(&slot_none);
	kfree(kmalloc(100));
	slot_of_dweller = thread_switch(mine);
	mm_fork_prepare();
	slot_of_dweller->inside = 1;
	in_child(fork_within, expect_slot_free);
	slot_of_dweller->inside = 0;
	expect_open();
}

/* --- somebody inside, and no handlers --------------------------------------------------------- */

static void expect_slot_lost(void)
{
	expect_open();
	EXPECT_EQ(slot_of_dweller->state, SLOT_LOST);
}

ISOLATED_TEST(a_slot_amid_a_slow_path_is_lost)
{
	heap_up("");
	use_everything();
	in_child(fork_announced, use_everything);
	dweller_enters(false, -1);
	in_child(clone_raw, expect_slot_lost);
	expect_open_children(clone_raw);
	dweller_leaves();
	expect_open();
}

static void *exit_when_told(void *unused)
{
	kfree(kmalloc(100));
	slot_of_dweller = current_slot;
	is_there = true;
	while (!may_leave)
		sched_yield();
	mm_thread_exit();
	return unused;
}

static void expect_slot_lost_while_left(void)
{
	lock_release(LOCK_SLOTS); /* of this thread, here too */
	expect_slot_lost();
}

ISOLATED_TEST(a_slot_that_was_being_left_is_lost)
{
	heap_up("");
	use_everything();
	is_there = may_leave = false;
	ASSERT(!pthread_create(&dweller, NULL, exit_when_told, NULL));
	while (!is_there)
		sched_yield();
	lock_acquire(LOCK_SLOTS);
	may_leave = true;
	while (!os_fake_calls(OS_CALL_FUTEX_WAIT_FOR))
		sched_yield();
	in_child(clone_raw, expect_slot_lost_while_left);
	lock_release(LOCK_SLOTS);
	pthread_join(dweller, NULL);
	expect_open();
}

/* Passes of absent visitors are nobody's, however many. */
static void expect_visitors_gone(void)
{
	for (unsigned int i = 0; i < NR_VISITOR_PASSES; i++)
		gate.visitors[i] = 64;
	thread_switch(&slot_gone);
	expect_open();
}

ISOLATED_TEST(absent_visitors)
{
	heap_up("");
	use_everything();
	dweller_enters(true, -1);
	expect_open_children(clone_raw);
	in_child(clone_raw, expect_visitors_gone);
	dweller_leaves();
	expect_open();
}

/* Another thread was forking. */
ISOLATED_TEST(a_gate_that_an_absent_thread_closed)
{
	heap_up("");
	use_everything();
	closer_closes();
	expect_open_children(clone_raw);
	closer_opens();
	/* And waited for a third. */
	dweller_enters(false, -1);
	closer_start();
	wait_for_naps(3);
	expect_open_children(clone_raw);
	in_child(clone_raw, expect_slot_lost);
	dweller_leaves();
	closer_opens();
	expect_open();
}

static void *left_by_a_thread;

static void *leave_one_behind(void *unused)
{
	left_by_a_thread = kmalloc(100);
	mm_thread_exit();
	return unused;
}

static void *old_objects[4];

static void expect_closed_here(void)
{
	void *object = kmalloc(KIB(100));

	EXPECT_EQ(gate.closed_by, GATE_CLOSED_FOR_GOOD);
	ASSERT(object && emergency_contains(object));
	memset(object, 1, KIB(100));
	kfree(object);
	use_everything();
	EXPECT_EQ(os_fake_calls(OS_CALL_NAP), 0);
}

/* It lives without the heap: on what the emergency part has, and frees nothing. */
static void expect_closed_for_good(void)
{
	pthread_t thread;

	os_fake_reset();
	expect_closed_here();
	for (unsigned int i = 0; i < ARRAY_SIZE(old_objects); i++) {
		EXPECT_EQ(((char *)old_objects[i])[KIB(20) - 1], 7);
		kfree(old_objects[i]);
	}
	EXPECT(gate.pending);
	use_in_threads();
	ASSERT(!pthread_create(&thread, NULL, leave_one_behind, NULL));
	pthread_join(thread, NULL);
	kfree(left_by_a_thread);
	in_child(fork_announced, expect_closed_here);
	in_child(clone_raw, expect_closed_here);
	for (unsigned int i = 0; i < 20000; i++) {
		void *object = kmalloc(KIB(20) + i);

		ASSERT(object);
		kfree(object);
	}
	mm_thread_exit();
	expect_closed_here();
}

static void fork_closed_for_good(void)
{
	os_fake_reset();
	in_child(fork_announced, expect_closed_here);
	expect_closed_for_good();
}

ISOLATED_TEST(a_lock_that_an_absent_thread_holds)
{
	heap_up("");
	use_everything();
	for (unsigned int i = 0; i < ARRAY_SIZE(old_objects); i++) {
		old_objects[i] = kmalloc(KIB(20));
		memset(old_objects[i], 7, KIB(20));
	}
	for (int rank = LOCK_DEVRES; rank < NR_LOCK_RANKS; rank++) {
		dweller_enters(rank % 2, rank);
		if (rank != LOCK_SLOTS) /* a thread exits by it */
			EXPECT(!gate.closed_by);
		in_child(clone_raw, expect_closed_for_good);
		in_child(clone_raw, fork_closed_for_good);
		dweller_leaves();
		expect_open_here();
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(old_objects); i++)
		kfree(old_objects[i]);
	expect_open();
}

/* --- handlers of other libraries -------------------------------------------------------------- */

/* They run before ours in the child when they were registered before. */
static void handlers_of_others_first(void)
{
	pid_t child;
	int status = -1;

	mm_fork_prepare();
	use_everything();
	child = fork();
	if (!child) {
		alarm(30);
		use_everything();
		use_in_threads();
		mm_fork_child();
		expect_open();
		fflush(NULL);
		_exit(kunit.nr_failed_checks != 0);
	}
	use_everything();
	mm_fork_parent();
	waitpid(child, &status, 0);
	EXPECT_EQ(status, 0);
	expect_open();
}

ISOLATED_TEST(others_handlers_run_within_ours)
{
	heap_up("");
	handlers_of_others_first();
	thread_switch(&slot_none);
	handlers_of_others_first();
	thread_switch(&slot_gone);
	handlers_of_others_first();
	in_child(clone_raw, handlers_of_others_first);
}

/* The same without a page that tells the child what it is. */
ISOLATED_TEST(others_handlers_run_within_ours_unnoticed)
{
	static const char *const environment[] = { NULL };

	os_fake_reset();
	os_fake_start_set(environment, false);
	os_fake_feature(OS_FEATURE_WIPE_ON_FORK, false);
	ASSERT(mm_init());
	use_everything();
	handlers_of_others_first();
}

/* A handler that was registered between the two halves of a fork. */
static void child_half_only(void)
{
	mm_fork_child();
	expect_open();
}

ISOLATED_TEST(one_half_of_the_handlers)
{
	heap_up("");
	use_everything();
	in_child(fork, child_half_only);
	mm_fork_parent();
	expect_open();
}

/* --- handlers of signals ---------------------------------------------------------------------- */

static pid_t child_of_handler;

static void fork_in_handler(int signal_number)
{
	(void)signal_number;
	child_of_handler = fork_announced();
	if (!child_of_handler)
		alarm(30);
}

static void expect_two_ended_well(void)
{
	int status = -1;

	if (!child_of_handler) {
		fflush(NULL);
		_exit(kunit.nr_failed_checks != 0);
	}
	waitpid(child_of_handler, &status, 0);
	EXPECT_EQ(status, 0);
}

/* The interrupted slow path goes on in both, with its locks; what it had is not others'. */
static void fork_amid(int lock)
{
	gate_pass *pass = gate_enter();

	ASSERT(pass);
	if (lock >= 0)
		lock_acquire((enum lock_rank)lock);
	raise(SIGUSR1);
	EXPECT(*pass);
	if (lock >= 0)
		lock_release((enum lock_rank)lock);
	gate_leave(pass);
	expect_open();
	expect_two_ended_well();
}

ISOLATED_TEST(a_handler_forks_amid_a_slow_path)
{
	heap_up("");
	signal(SIGUSR1, fork_in_handler);
	use_everything();
	for (int lock = -1; lock < NR_LOCK_RANKS; lock++)
		fork_amid(lock);
	thread_switch(&slot_gone);
	for (int lock = -1; lock < NR_LOCK_RANKS; lock++)
		fork_amid(lock);
}

static void *expect_refused(void *unused)
{
	EXPECT(!gate_enter());
	return unused;
}

static void enter_in_handler(int signal_number)
{
	gate_pass *pass = gate_enter();

	(void)signal_number;
	EXPECT(pass);
	is_there = true;
	while (!may_leave)
		sched_yield();
	gate_leave(pass);
}

static void *close_with_slot(void *unused)
{
	kfree(kmalloc(100));
	slot_of_dweller = current_slot;
	return close_and_open(unused);
}

static void expect_slot_lost_amid_slow_path(void)
{
	EXPECT_EQ(slot_of_dweller->state, SLOT_LOST);
}

/* Who has closed the gate may enter at any time, also while a handler forks that he waits for. */
ISOLATED_TEST(a_handler_forks_beneath_a_fork_that_is_interrupted)
{
	gate_pass *pass;

	heap_up("");
	signal(SIGUSR1, enter_in_handler);
	use_everything();
	pass = gate_enter();
	ASSERT(!pthread_create(&closer, NULL, close_with_slot, NULL));
	wait_for_naps(10);
	mm_fork_prepare();
	pthread_kill(closer, SIGUSR1);
	while (!is_there)
		sched_yield();
	in_child(fork_within, expect_slot_lost_amid_slow_path);
	may_leave = true;
	gate_leave(pass);
	closer_opens();
	expect_open();
}

/* The child of the handler is still amid the fork that was interrupted. */
ISOLATED_TEST(a_handler_forks_amid_a_fork)
{
	pthread_t thread;

	heap_up("");
	signal(SIGUSR1, fork_in_handler);
	use_everything();
	mm_fork_prepare();
	raise(SIGUSR1);
	ASSERT(!pthread_create(&thread, NULL, expect_refused, NULL));
	pthread_join(thread, NULL);
	use_everything();
	in_child(fork_announced, use_everything);
	mm_fork_parent();
	expect_open();
	expect_two_ended_well();
}

static pthread_t interrupted;

static void clone_in_handler(int signal_number)
{
	(void)signal_number;
	child_of_handler = clone_raw();
	if (!child_of_handler)
		alarm(30);
}

static void *signal_who_waits(void *unused)
{
	wait_for_naps(3);
	pthread_kill(interrupted, SIGUSR1);
	wait_for_naps(10);
	dweller_leaves();
	return unused;
}

/* A thread that waits for others, to fork, finds itself in a child, where they are not. */
static void clone_amid_wait(bool visiting)
{
	pthread_t sender;

	interrupted = pthread_self();
	dweller_enters(visiting, -1);
	ASSERT(!pthread_create(&sender, NULL, signal_who_waits, NULL));
	gate_close();
	EXPECT(child_of_handler >= 0);
	gate_open();
	if (child_of_handler)
		pthread_join(sender, NULL);
	expect_open();
	expect_two_ended_well();
}

ISOLATED_TEST(a_handler_clones_amid_the_wait_for_others)
{
	heap_up("");
	signal(SIGUSR1, clone_in_handler);
	use_everything();
	clone_amid_wait(false);
	clone_amid_wait(true);
}

static void *signal_the_sleeper_and_leave(void *unused)
{
	lock_acquire(LOCK_ZONE);
	is_there = true;
	while (!os_fake_calls(OS_CALL_FUTEX_WAIT_FOR))
		sched_yield();
	pthread_kill(interrupted, SIGUSR1);
	wait_for_naps(3);
	/* Longer than the handler waits for those inside. */
	for (unsigned int i = 0; i < 100; i++)
		os_nap(2000);
	lock_release(LOCK_ZONE);
	return unused;
}

/*
 * The handler interrupts a wait for a lock. Its child will go on waiting, and so must have the lock
 * or find it free.
 */
ISOLATED_TEST(a_handler_forks_amid_the_wait_for_a_lock)
{
	pthread_t holder;
	gate_pass *pass;

	heap_up("");
	signal(SIGUSR1, fork_in_handler);
	use_everything();
	interrupted = pthread_self();
	ASSERT(!pthread_create(&holder, NULL, signal_the_sleeper_and_leave, NULL));
	while (!is_there)
		sched_yield();
	pass = gate_enter();
	/* The holder is inside, too. */
	EXPECT(pass);
	gate.visitors[5] = 64;
	lock_acquire(LOCK_ZONE);
	if (child_of_handler)
		gate.visitors[5] = 0;
	lock_release(LOCK_ZONE);
	gate_leave(pass);
	if (child_of_handler)
		pthread_join(holder, NULL);
	expect_open();
	expect_two_ended_well();
}

/* Who holds a lower lock is gone, amid what it protects: the slow path ends, and it is the last. */
ISOLATED_TEST(a_handler_forks_above_the_lock_of_another)
{
	gate_pass *pass;

	heap_up("");
	signal(SIGUSR1, fork_in_handler);
	use_everything();
	dweller_enters(false, LOCK_BARN);
	pass = gate_enter();
	lock_acquire(LOCK_ZONE);
	raise(SIGUSR1);
	lock_release(LOCK_ZONE);
	if (!child_of_handler) {
		lock_acquire(LOCK_BARN);
		lock_release(LOCK_BARN);
	}
	gate_leave(pass);
	if (!child_of_handler) {
		os_fake_reset();
		expect_closed_here();
		in_child(fork_announced, expect_closed_here);
	} else {
		dweller_leaves();
		expect_open();
	}
	expect_two_ended_well();
}

RUN_TESTS
