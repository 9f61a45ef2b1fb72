/* gate.c - see gate.h. */
#include "kmalloc/gate.h"

#include "core/lock.h"
#include "kmalloc/deferred.h"
#include "os/os.h"

/* What gate.process_known points to. */
enum { PROCESS_NEW, PROCESS_KNOWN, PROCESS_BEING_EXAMINED };

static _Atomic uint32_t always_known = PROCESS_KNOWN;

struct gate gate = { .process_known = &always_known };

_Thread_local bool gate_visiting __tls_initial_exec;

/* Of the thread that has closed the gate. */
static unsigned int depth; /* how often: its signal handlers may fork, too */
static bool is_empty;	   /* nobody else is inside; who comes finds the gate closed, and leaves */

/* Threads inside that wait in gate_close, called by signal handlers: they will not leave before. */
static _Atomic uint32_t nr_interrupted;

/* A slow path takes a microsecond, or a time slice when its thread is preempted. */
#define SPINS_BEFORE_NAP 200u
#define FIRST_NAP_US 20u
#define LONGEST_NAP_US 1000u
/*
 * A thread inside may wait for a lock that the thread which forks holds itself, if the fork is
 * called by a signal handler that has interrupted a slow path. After so many naps, 50 ms, it
 * forks all the same, and the child finds out who is lost.
 */
#define NAPS_IF_INTERRUPTED 50u
#define NAPS_FOR_REPORT 1000u

static uintptr_t this_thread(void)
{
	return (uintptr_t)__builtin_thread_pointer();
}

void gate_boot(_Atomic uint32_t *wiped_on_fork)
{
	if (!wiped_on_fork)
		return;
	*wiped_on_fork = PROCESS_KNOWN;
	gate.process_known = wiped_on_fork;
}

gate_pass *gate_enter_visiting(void)
{
	if (gate_visiting || (slot_is_held() && current_slot->inside))
		return NULL;
	gate_visiting = true;
	atomic_fetch_add(&gate.nr_visitors, 1);
	return gate_is_calm() ? &gate.nr_visitors : gate_examine(&gate.nr_visitors);
}

void gate_leave_visiting(void)
{
	atomic_fetch_sub_explicit(&gate.nr_visitors, 1, memory_order_release);
	gate_visiting = false;
}

/* In a child, before anybody else is inside: who was, at the fork? */
static void examine_child(void)
{
	bool was_empty = is_empty && gate.closed_by == this_thread();

	depth = 0;
	nr_interrupted = 0;
	is_empty = false;
	slots_after_fork(was_empty);
	atomic_store(&gate.nr_visitors, gate_visiting);
	atomic_store(&gate.closed_by, locks_held_by_others() ? GATE_CLOSED_FOR_GOOD : 0);
	atomic_store(gate.process_known, PROCESS_KNOWN);
}

/* One thread examines; others of its process come to a closed gate meanwhile. */
static bool process_is_known(void)
{
	uint32_t state = PROCESS_NEW;

	if (atomic_compare_exchange_strong(gate.process_known, &state, PROCESS_BEING_EXAMINED)) {
		examine_child();
		return true;
	}
	return state == PROCESS_KNOWN;
}

/* What the refused have left. The flag first: what comes later sets it again. */
static void settle_pending(void)
{
	if (!atomic_exchange(&gate.pending, 0))
		return;
	slots_collect_left();
	deferred_free_all();
}

gate_pass *gate_examine(gate_pass *pass)
{
	uintptr_t closed_by;

	if (process_is_known()) {
		closed_by = atomic_load(&gate.closed_by);
		if (!closed_by)
			settle_pending();
		if (!closed_by || closed_by == this_thread())
			return pass;
	}
	gate_leave(pass);
	return NULL;
}

static uint32_t nap_us(unsigned int nr_naps)
{
	return nr_naps < 6 ? FIRST_NAP_US << nr_naps : LONGEST_NAP_US;
}

gate_pass *gate_enter_patiently(void)
{
	gate_pass *pass = gate_enter();

	for (unsigned int nap = 0; !pass && gate.closed_by && nap < NAPS_FOR_REPORT; nap++) {
		os_nap(nap_us(nap));
		pass = gate_enter();
	}
	return pass;
}

/* --- fork ----------------------------------------------------------------------------------- */

/* Until the pass shows no more than `value`. False: it may never, and took many naps already. */
static bool wait_for(const gate_pass *pass, uint32_t value)
{
	for (unsigned int spin = 0; spin < SPINS_BEFORE_NAP; spin++) {
		if (atomic_load(pass) <= value)
			return true;
		cpu_relax();
	}
	for (unsigned int nap = 0; atomic_load(pass) > value; nap++) {
		if (nap >= NAPS_IF_INTERRUPTED && atomic_load(&nr_interrupted))
			return false;
		os_nap(nap_us(nap));
	}
	return true;
}

/* Slots are made and change hands by visitors only: these first. */
static bool wait_until_empty(void)
{
	bool done = wait_for(&gate.nr_visitors, gate_visiting);

	for (uint32_t id = 1; done && id <= slot_count(); id++) {
		struct slot *slot = slot_by_id(id);

		if (slot != current_slot && slot->state != SLOT_LOST)
			done = wait_for(&slot->inside, 0);
	}
	return done;
}

/* False: it is closed for good. */
static bool become_closer(void)
{
	uintptr_t open = 0, me = this_thread();

	for (unsigned int nap = 0; !atomic_compare_exchange_strong(&gate.closed_by, &open, me);
	     nap++) {
		if (open == GATE_CLOSED_FOR_GOOD)
			return false;
		if (open == me)
			break;
		os_nap(nap_us(nap));
		open = 0;
	}
	return true;
}

/*
 * Of several handlers that want to fork, that one goes first whose thread holds the highest lock:
 * it needs none of the others' locks to go on in the child, and in the parent it lets go.
 */
static void close_when_possible(void)
{
	while (become_closer() && depth++ == 0) {
		is_empty = wait_until_empty();
		if (is_empty || !locks_highest_is_others())
			return;
		depth = 0;
		atomic_store(&gate.closed_by, 0);
		os_nap(LONGEST_NAP_US);
	}
}

void gate_close(void)
{
	bool interrupted = gate_visiting || (slot_is_held() && current_slot->inside);

	nr_interrupted += interrupted;
	close_when_possible();
	nr_interrupted -= interrupted;
}

void gate_open(void)
{
	if (gate.closed_by != this_thread() || --depth)
		return;
	is_empty = false;
	atomic_store(&gate.closed_by, 0);
}

/* Handlers of other libraries may have entered, and made threads that are inside. */
void gate_after_fork(void)
{
	if (gate.process_known == &always_known)
		examine_child();
	else
		process_is_known();
}
