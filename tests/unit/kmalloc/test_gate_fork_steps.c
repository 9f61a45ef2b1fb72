/*
 * test_gate_fork_steps.c - a signal handler at every instruction of the slow paths and of a fork.
 *
 * The processor steps through a deed, and at one instruction the handler of the trap plays the part
 * of a signal's: it allocates, forks, or makes a child without our handlers. Then parent and
 * children go on to the end of the deed and find everything whole. This for each instruction.
 *
 * By default most instructions of the longer deeds are passed over; the seed decides which ones.
 * With PLACES=1000000 in the environment none is, and it takes an hour. (Not OPS: that is set for
 * all tests of a run at once.)
 */
#include "steps.h" /* first: it asks for GNU's names */

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#include "kunit.h"
#include "isolated.h"
#include "core/lock.h"
#include "kmalloc/gate.h"
#include "kmalloc/memcg.h"
#include "mm/emergency.h"
#include "mm/zone.h"

#define PLACES 5u /* of a deed, by default; those at the gate itself have all */
#define FEW_STEPS 200u
#define LAST_STEPS 100u

static volatile bool is_over; /* the deed is shorter than that */

/* --- interruptions ---------------------------------------------------------------------------- */

static pid_t children[8];
static unsigned int nr_children;

/* This process is a child, and has none as yet. */
static void become_child(void)
{
	alarm(30);
	nr_children = 0;
	is_over = false;
}

static void note_child(pid_t child)
{
	if (child)
		children[nr_children++] = child;
	else
		become_child();
}

static void fork_here(void)
{
	pid_t child;

	mm_fork_prepare();
	child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (child)
		mm_fork_parent();
	else
		mm_fork_child();
	note_child(child);
}

static void clone_here(void)
{
	note_child((pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

/* Slow paths only: nobody may enter what the interrupted fast path is at. */
static void allocate_here(void)
{
	for (unsigned int i = 0; i < 3; i++) {
		size_t bytes = (size_t)100 << 4 * i;
		char *object = kmalloc_slow(bytes);

		ASSERT(object);
		memset(object, 1, bytes);
		kfree_slow(object);
		object = kmalloc_aligned(KIB(64), bytes);
		ASSERT(object);
		kfree_slow(object);
	}
}

/* Others wait for the pass: a handler that does not know that waits for them. */
static void expect_known_to_be_inside(void)
{
	for (unsigned int i = 0; i < NR_VISITOR_PASSES; i++)
		if (gate.visitors[i] == (uintptr_t)__builtin_thread_pointer())
			EXPECT(gate_is_interrupted());
}

/* --- is everything whole? --------------------------------------------------------------------- */

static unsigned int nr_free_slots;

static void count_free_slot(struct slot *slot)
{
	/* A slot that is in the list twice makes it a ring. */
	if (++nr_free_slots > 100 || slot == current_slot ||
	    (slot->state != SLOT_FREE && slot->state != SLOT_SHARED)) {
		fprintf(stderr, "the list of free slots is broken\n");
		_exit(1);
	}
}

static void use_heap(void)
{
	for (size_t bytes = 10; bytes < KIB(100); bytes *= 3) {
		char *object = kmalloc(bytes);

		ASSERT(object);
		object[0] = object[bytes - 1] = 2; /* all of them would cost more than the rest */
		kfree(object);
	}
}

static void *use_as_thread(void *unused)
{
	use_heap();
	mm_thread_exit();
	return unused;
}

static void expect_whole(void)
{
	use_heap();
	EXPECT_EQ(gate.closed_by, 0);
	EXPECT_EQ(gate.pending, 0);
	EXPECT(!gate_visiting);
	EXPECT(!slot_is_held() || (current_slot->state == SLOT_HELD && !current_slot->inside));
	for (unsigned int i = 0; i < NR_VISITOR_PASSES; i++)
		EXPECT_EQ(gate.visitors[i], 0);
	EXPECT_EQ(emergency_live(), 0);
	nr_free_slots = 0;
	slots_visit_free(count_free_slot, 0);
	expect_valid();
}

static void expect_open_to_threads(void)
{
	pthread_t thread;

	ASSERT(!pthread_create(&thread, NULL, use_as_thread, NULL));
	pthread_join(thread, NULL);
	expect_valid();
}

/* Also in a child, and after it. */
static void expect_whole_here_and_later(void)
{
	fork_here();
	expect_whole();
	if (nr_children)
		expect_open_to_threads(); /* not in the child just made: threads are dear */
	for (unsigned int i = 0; i < nr_children; i++) {
		int status = -1;

		waitpid(children[i], &status, 0);
		EXPECT_EQ(status, 0);
	}
}

/* --- every instruction of a deed -------------------------------------------------------------- */

static void (*deed)(void);

/* The deed with an interruption at the nth instruction; false: it has not so many. */
static bool run_deed(unsigned int nth)
{
	int status = -1;
	pid_t child;

	fflush(NULL);
	mm_fork_prepare();
	child = fork();
	if (child) {
		mm_fork_parent();
		waitpid(child, &status, 0);
		EXPECT(status == 0 || status == 3 << 8);
		if (status && status != 3 << 8)
			fprintf(stderr, "instruction %u: status %#x\n", nth, (unsigned int)status);
		return status != 3 << 8;
	}
	mm_fork_child();
	become_child();
	nr_steps = 0;
	act_at = nth;
	if (!setjmp(kunit.test_end)) {
		deed();
		is_over = act_at != NEVER;
		act_at = NEVER;
		expect_whole_here_and_later();
	}
	fflush(NULL);
	_exit(kunit.nr_failed_checks ? 1 : is_over ? 3 : 0);
}

/* Not by a child of the deed, which has done a part only. */
static void write_nr_steps(int end)
{
	pid_t self = getpid();
	unsigned int nr;

	become_child();
	nr_steps = 0;
	act_at = UINT_MAX;
	deed();
	nr = nr_steps;
	_exit(getpid() == self && write(end, &nr, sizeof(nr)) != sizeof(nr));
}

/* How many instructions it has: in a child, for it is done once. */
static unsigned int count_steps(void)
{
	unsigned int nr = 0;
	pid_t child;
	int ends[2];

	fflush(NULL);
	ASSERT(!pipe(ends));
	mm_fork_prepare();
	child = fork();
	if (!child) {
		mm_fork_child();
		write_nr_steps(ends[1]);
	}
	mm_fork_parent();
	close(ends[1]);
	ASSERT(read(ends[0], &nr, sizeof(nr)) == sizeof(nr));
	close(ends[0]);
	waitpid(child, NULL, 0);
	return nr;
}

/* From the nth on. */
static void step_from(unsigned int nth, unsigned int stride)
{
	unsigned int nr_runs = 0;

	for (; run_deed(nth) && !kunit.nr_failed_checks; nth += stride)
		nr_runs++;
	EXPECT(nr_runs > 0);
}

static void step_through(void (*what)(void), void (*by)(void))
{
	uint64_t nr_places = PLACES;
	unsigned int nr, stride;

	kunit_read_number(getenv("PLACES"), &nr_places);
	deed = what;
	steps_prepare(by);
	nr = count_steps();
	stride = nr <= FEW_STEPS ? 1 : nr / (unsigned int)nr_places + 1;
	step_from(1 + (unsigned int)(kunit_seed() % stride), stride);
}

static void step_through_end(void (*what)(void), void (*by)(void))
{
	unsigned int nr;

	deed = what;
	steps_prepare(by);
	nr = count_steps();
	step_from(nr > LAST_STEPS ? nr - LAST_STEPS : 1, 1);
}

static void step_by_all(void (*what)(void))
{
	step_through(what, allocate_here);
	step_through(what, fork_here);
	step_through(what, clone_here);
}

/* --- deeds ------------------------------------------------------------------------------------ */

static void enter_and_leave(void)
{
	gate_pass *pass;

	steps_begin();
	pass = gate_enter();
	if (pass)
		gate_leave(pass);
	steps_end();
}

/* For others who have closed the gate no handler waits. */
static void fork_here_if_inside(void)
{
	if (slot_is_held() && current_slot->inside)
		fork_here();
}

/* A trimming thread, which a child will not have, is amid the slot. */
static bool enter_while_visited(struct slot *slot)
{
	gate_pass *pass;

	thread_switch(slot);
	gate.closed_by = 64;
	steps_begin();
	pass = gate_enter();
	steps_end();
	if (gate.closed_by == 64) {
		EXPECT(!pass);
		gate.closed_by = 0;
		return true;
	}
	EXPECT_EQ(slot->state, SLOT_LOST);
	/* Refused: all that the fork has interrupted was leaving. */
	EXPECT(!pass || gate_visiting || pass == &current_slot->inside);
	if (pass)
		gate_leave(pass);
	return true;
}

static void be_visited(void)
{
	struct slot *mine = thread_switch(&slot_none);

	kfree(kmalloc(100));
	EXPECT(slot_visit_held(mine, enter_while_visited));
}

static void settle_what_is_pending(void)
{
	struct slot *mine = thread_switch(&slot_none);

	kfree(kmalloc(100));
	slot_abandon();
	thread_switch(mine);
	gate_note_pending();
	enter_and_leave();
}

static void enter_patiently(void)
{
	gate_pass *pass;

	gate.closed_by = 64;
	steps_begin();
	pass = gate_enter_patiently();
	steps_end();
	ASSERT(pass);
	gate_leave(pass);
}

static void open_here(void)
{
	gate.closed_by = 0;
}

static void allocate_and_free_run(void)
{
	void *object;

	steps_begin();
	object = kmalloc_slow(KIB(100));
	kfree_slow(object);
	steps_end();
}

static void allocate_small(void)
{
	void *object;

	sheaves_drain(current_slot);
	steps_begin();
	object = kmalloc_slow(100);
	steps_end();
	kfree(object);
}

static void take_slot(void)
{
	void *object;

	mm_thread_exit();
	thread_switch(&slot_none);
	steps_begin();
	object = kmalloc_slow(KIB(100));
	steps_end();
	kfree(object);
}

static void take_free_slot(void)
{
	gate_pass *pass;

	mm_thread_exit();
	thread_switch(&slot_none);
	pass = gate_enter();
	steps_begin();
	slot_enter();
	steps_end();
	gate_leave(pass);
}

static void take_new_slot(void)
{
	void *object;

	thread_switch(&slot_none);
	steps_begin();
	object = kmalloc_slow(100);
	steps_end();
	kfree(object);
}

static unsigned int new_group(void)
{
	unsigned int group = 0;

	EXPECT_EQ(memcg_create("group", 0, NO_MEMCG_LIMIT, &group), MEMCG_DONE);
	ASSERT(group);
	return group;
}

/* A process has one thread here: where it is one is, and elsewhere none. */
static void expect_to_be_in(unsigned int group, unsigned int other)
{
	void *object = kmalloc(100);

	EXPECT_EQ(active_memcg, group);
	EXPECT_EQ(memcg_of(object), group);
	kfree(object);
	EXPECT_EQ(mem_cgroup_threads(&zone.memcg[other]), 0);
	if (group)
		EXPECT_EQ(mem_cgroup_threads(&zone.memcg[group]), 1);
}

static void go_to_group(void)
{
	unsigned int before = new_group(), group = new_group();

	EXPECT(mm_thread_enter(before));
	kfree(kmalloc(100));
	steps_begin();
	mm_thread_enter(group);
	steps_end();
	expect_to_be_in(group, before);
	EXPECT(mm_thread_enter(0));
	expect_to_be_in(0, group);
}

static void exit_thread(void)
{
	steps_begin();
	mm_thread_exit();
	steps_end();
}

static void abandon_slot(void)
{
	steps_begin();
	slot_abandon();
	steps_end();
	gate_note_pending();
}

/* While another thread forks, which ends before the next one comes. */
static void exit_thread_refused(void)
{
	gate.closed_by = 64;
	steps_begin();
	mm_thread_exit();
	steps_end();
	if (gate.closed_by == 64)
		gate.closed_by = 0;
}

static void fork_stepwise(void)
{
	pid_t child;

	steps_begin();
	mm_fork_prepare();
	steps_end();
	child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	note_child(child);
	if (!child) {
		act_at = NEVER;
		mm_fork_child();
		return;
	}
	steps_begin();
	mm_fork_parent();
	steps_end();
}

static void another_thread_was(void)
{
	struct slot *mine = thread_switch(&slot_none);

	kfree(kmalloc(100));
	thread_switch(mine);
}

/* This process plays the child: the kernel has wiped the page. */
static void be_forked(void)
{
	mm_fork_prepare();
	atomic_store(gate.process_known, 0);
	steps_begin();
	mm_fork_child();
	steps_end();
}

static void be_forked_stepwise(void)
{
	another_thread_was();
	be_forked();
}

static void amid_slow_path(void (*what)(void))
{
	gate_pass *pass = gate_enter();

	zone_lock();
	what();
	zone_unlock();
	gate_leave(pass);
}

static void fork_amid_slow_path(void)
{
	amid_slow_path(fork_stepwise);
}

/* Of all that a fork amid a slow path does this is the part that waits. */
static void take_locks_stepwise(void)
{
	mm_fork_prepare();
	locks_release_rest();
	steps_begin();
	locks_take_rest();
	steps_end();
	mm_fork_parent();
}

static void take_locks_amid_slow_path(void)
{
	amid_slow_path(take_locks_stepwise);
}

static void be_forked_amid_slow_path(void)
{
	another_thread_was();
	amid_slow_path(be_forked);
}

/* A child that nobody has announced. */
static void discover(void)
{
	another_thread_was();
	atomic_store(gate.process_known, 0);
	enter_and_leave();
}

static void heap_ready_for_deeds(const char *options)
{
	heap_up(options);
	use_heap();
}

ISOLATED_TEST(at_the_gate)
{
	heap_ready_for_deeds("");
	step_by_all(enter_and_leave);
	thread_switch(&slot_gone);
	step_by_all(enter_and_leave);
}

/* Wherever the other thread opens: it is let in, now or after a nap. */
ISOLATED_TEST(who_is_patient_is_admitted)
{
	unsigned int nth = 1;

	heap_ready_for_deeds("");
	deed = enter_patiently;
	steps_prepare(open_here);
	while (nth <= FEW_STEPS && run_deed(nth) && !kunit.nr_failed_checks)
		nth++;
	EXPECT_EQ(nth, FEW_STEPS + 1);
}

ISOLATED_TEST(a_visitor_is_known_to_be_inside)
{
	heap_ready_for_deeds("");
	thread_switch(&slot_gone);
	step_through(enter_and_leave, expect_known_to_be_inside);
	step_through(exit_thread, expect_known_to_be_inside);
}

ISOLATED_TEST(at_the_gate_of_one_who_trims)
{
	heap_ready_for_deeds("");
	step_through(be_visited, clone_here);
	step_through(be_visited, fork_here_if_inside);
}

ISOLATED_TEST(what_is_pending)
{
	heap_ready_for_deeds("");
	step_by_all(settle_what_is_pending);
}

ISOLATED_TEST(allocating)
{
	heap_ready_for_deeds("");
	step_by_all(allocate_and_free_run);
	step_by_all(allocate_small);
}

ISOLATED_TEST(slots_that_change_hands)
{
	heap_ready_for_deeds("");
	step_by_all(take_slot);
	step_through_end(take_free_slot, fork_here); /* it is taken by one instruction */
	step_by_all(take_new_slot);
	step_by_all(go_to_group);
	step_through_end(go_to_group, fork_here); /* members are counted there */
	step_by_all(abandon_slot);
	step_by_all(exit_thread);
	step_through(exit_thread_refused, allocate_here);
}

ISOLATED_TEST(forking)
{
	heap_ready_for_deeds("");
	step_by_all(fork_stepwise);
	step_by_all(be_forked_stepwise);
}

ISOLATED_TEST(forking_amid_a_slow_path)
{
	heap_ready_for_deeds("");
	step_by_all(fork_amid_slow_path);
	step_by_all(take_locks_amid_slow_path);
	step_by_all(be_forked_amid_slow_path);
}

ISOLATED_TEST(discovering)
{
	heap_ready_for_deeds("");
	step_by_all(discover);
}

ISOLATED_TEST(in_hardened_mode)
{
	heap_ready_for_deeds("hardened=1");
	step_by_all(enter_and_leave);
	step_by_all(fork_stepwise);
}

RUN_TESTS
