/* gate.c - see gate.h. */
#include "kmalloc/gate.h"

#include "core/lock.h"
#include "kmalloc/deferred.h"
#include "kmalloc/shrinker.h"
#include "mm/cma.h"
#include "mm/memcontrol.h"
#include "mm/reserve.h"
#include "os/os.h"
#include "slab/kmem_cache.h"

/* What gate.process_known points to. Else it is the examiner_id() of who examines. */
enum { PROCESS_NEW, PROCESS_KNOWN };

static _Atomic uint32_t always_known = PROCESS_KNOWN;

struct gate gate = { .process_known = &always_known };

_Thread_local bool gate_visiting __tls_initial_exec;

/*
 * Calls of gate_close that this thread has under way: its signal handlers may fork, too, at any
 * instruction of what is below.
 */
static _Thread_local uint16_t depth __tls_initial_exec;
/* This thread has closed the gate and nobody else is inside. Who comes finds it so, and leaves. */
static _Thread_local bool is_empty __tls_initial_exec;

/* A slow path takes a microsecond, or a time slice when its thread is preempted. */
#define SPINS_BEFORE_NAP 200u
#define FIRST_NAP_US 20u
#define LONGEST_NAP_US 1000u
/* How long a signal handler that has interrupted a slow path waits for those inside: 50 ms. */
#define NAPS_IF_INTERRUPTED 50u
#define NAPS_IF_PATIENT 1000u
/* How long who only trims waits for those inside, and who was refused for that one: 5 ms. */
#define NAPS_IF_BRIEF 10u

/* Not PROCESS_NEW, nor PROCESS_KNOWN. */
static uint32_t examiner_id(void)
{
	return (uint32_t)(this_thread() >> 6) << 2 | 2;
}

void gate_boot(struct process_page *process)
{
	if (!process)
		return;
	process->known = PROCESS_KNOWN;
	gate.process_known = &process->known;
}

static bool is_inside(void)
{
	return gate_visiting || (slot_is_held() && current_slot->inside);
}

/*
 * Whoever closes the gate waits for this thread: gate_visiting alone says so too early and too
 * long. By the passes it is exact, since each is taken and given back by one instruction.
 */
static bool has_pass(void)
{
	if (slot_is_held() && current_slot->inside)
		return true;
	if (gate_visiting)
		for (unsigned int i = 0; i < NR_VISITOR_PASSES; i++)
			if (gate.visitors[i] == this_thread())
				return true;
	return false;
}

static bool is_closed_by_me(uintptr_t closed_by)
{
	return (closed_by & ~GATE_CLOSED_BRIEFLY) == this_thread();
}

bool gate_is_deserted(void)
{
	if (gate.closed_by)
		return false;
	for (unsigned int i = 0; i < NR_VISITOR_PASSES; i++)
		if (gate.visitors[i])
			return false;
	for (uint32_t id = 1; id <= slot_count(); id++)
		if (slot_by_id(id)->inside)
			return false;
	return true;
}

bool gate_is_interrupted(void)
{
	return is_inside() || depth;
}

/* --- a child finds out ------------------------------------------------------------------------ */

/*
 * Who was inside at the fork? Before anybody else in the child is. A signal handler that comes
 * amid this and forks does it all itself, in its child too: nothing here may hurt when done twice.
 */
static void examine_child(void)
{
	slots_after_fork(is_empty);
	mem_cgroups_after_fork();
	kmem_caches_after_fork();
	shrinkers_after_fork();
	cma_after_fork();
	reserve_after_fork();
	for (unsigned int i = 0; i < NR_VISITOR_PASSES; i++)
		if (gate.visitors[i] != this_thread())
			gate.visitors[i] = 0;
	if (gate.settler != this_thread())
		gate.settler = 0; /* what it had taken is lost, as its slot is */
	if (locks_held_by_others() || gate.closed_by == GATE_CLOSED_FOR_GOOD)
		gate.closed_by = GATE_CLOSED_FOR_GOOD;
	else if (!depth)
		gate.closed_by = 0;
	else if (!is_closed_by_me(gate.closed_by))
		gate.closed_by = this_thread();
	gate_note_pending(); /* the slots that were left */
	atomic_store(gate.process_known, PROCESS_KNOWN);
}

/* One thread examines; others of its process do without the heap meanwhile. */
static bool process_is_known(void)
{
	uint32_t state = PROCESS_NEW;

	if (likely(atomic_load(gate.process_known) == PROCESS_KNOWN))
		return true;
	if (!atomic_compare_exchange_strong(gate.process_known, &state, examiner_id()) &&
	    state != examiner_id())
		return state == PROCESS_KNOWN;
	examine_child();
	return true;
}

/* --- entering ------------------------------------------------------------------------------- */

/* Who was refused will be again. Else another thread has closed the gate, and will open it. */
static bool is_hopeless(void)
{
	return is_inside() || atomic_load(&gate.closed_by) == GATE_CLOSED_FOR_GOOD;
}

static bool admits_me(uintptr_t closed_by)
{
	return !closed_by || is_closed_by_me(closed_by);
}

static bool may_enter(void)
{
	return admits_me(atomic_load(&gate.closed_by));
}

static uint32_t nap_us(unsigned int nr_naps)
{
	return nr_naps < 6 ? FIRST_NAP_US << nr_naps : LONGEST_NAP_US;
}

/* One that nobody has, by one instruction: whoever sees it knows whose it is. */
static gate_pass *find_visitor_pass(void)
{
	size_t first = this_thread() * 0x9e3779b97f4a7c15u / (UINT64_MAX / NR_VISITOR_PASSES);

	for (size_t i = 0; i < NR_VISITOR_PASSES; i++) {
		gate_pass *pass = &gate.visitors[(first + i) % NR_VISITOR_PASSES];
		uintptr_t nobody = 0;

		if (!atomic_load_explicit(pass, memory_order_relaxed) &&
		    atomic_compare_exchange_strong(pass, &nobody, this_thread()))
			return pass;
	}
	return NULL;
}

static gate_pass *take_visitor_pass(void)
{
	gate_pass *pass;

	WRITE_ONCE(gate_visiting, true);
	barrier();
	pass = find_visitor_pass();
	if (!pass)
		WRITE_ONCE(gate_visiting, false);
	return pass;
}

/* Looks at the gate first: who forks could wait for long until there is no visitor by chance. */
gate_pass *gate_enter_visiting(void)
{
	gate_pass *pass = NULL;

	if (is_inside())
		return NULL;
	for (unsigned int nap = 0; !pass; nap++) {
		if (!process_is_known() || !may_enter())
			return NULL;
		pass = take_visitor_pass();
		if (!pass)
			os_nap(nap_us(nap));
	}
	return gate_is_calm() ? pass : gate_examine(pass);
}

/*
 * Objects of other threads, however many, are no reason to have a slot: the thread need not be in
 * a call that sees to it that a slot is left at its exit.
 */
static void free_deferred(void)
{
	bool has_none = current_slot == &slot_none;

	if (has_none)
		WRITE_ONCE(current_slot, &slot_gone);
	deferred_free_all();
	if (has_none)
		WRITE_ONCE(current_slot, &slot_none);
}

/*
 * What the refused have left: by one thread at a time, so that others can know when it is done.
 * The flag first: what comes later sets it again.
 */
static void settle(void)
{
	uintptr_t nobody = 0;

	if (!atomic_compare_exchange_strong(&gate.settler, &nobody, this_thread()))
		return;
	if (atomic_exchange(&gate.pending, 0)) {
		slots_collect_left();
		free_deferred();
	}
	atomic_store(&gate.settler, 0);
}

/* While a thread leaves its slot nothing shows that it is inside the slot. */
static bool may_settle(void)
{
	return !(gate_visiting && slot_is_held());
}

/* Who closes the gate meanwhile waits for this thread. */
void gate_settle(void)
{
	for (unsigned int nap = 0; may_settle() && nap < NAPS_IF_PATIENT; nap++) {
		settle();
		if (!atomic_load(&gate.settler) && !atomic_load(&gate.pending))
			return;
		os_nap(nap_us(nap));
	}
}

gate_pass *gate_examine(gate_pass *pass)
{
	bool admitted = process_is_known() && may_enter();

	if (!gate_visiting && !gate_pass_is_own(pass)) {
		gate_leave(pass);
		return gate_enter(); /* the slot is lost */
	}
	if (admitted) {
		if (gate.pending && !gate.closed_by && may_settle())
			settle();
		return pass;
	}
	gate_leave(pass);
	return NULL;
}

/* Not by what the gate is after a refusal: it may have been opened since. */
static gate_pass *enter_within(unsigned int max_naps)
{
	gate_pass *pass = gate_enter();

	for (unsigned int nap = 0; !pass && !is_hopeless() && nap < max_naps; nap++) {
		os_nap(nap_us(nap));
		pass = gate_enter();
	}
	return pass;
}

gate_pass *gate_enter_patiently(void)
{
	return enter_within(NAPS_IF_PATIENT);
}

gate_pass *gate_enter_soon(void)
{
	gate_pass *pass = gate_enter();
	uintptr_t closed_by;

	if (pass || is_inside())
		return pass;
	closed_by = atomic_load(&gate.closed_by); /* nobody, if it has been opened since */
	if (admits_me(closed_by) || closed_by & GATE_CLOSED_BRIEFLY)
		pass = enter_within(NAPS_IF_BRIEF);
	return pass;
}

/* --- fork ----------------------------------------------------------------------------------- */

/* Another thread is inside by the pass. */
static bool is_in_use(const gate_pass *pass)
{
	uintptr_t value = atomic_load(pass);

	return value && value != this_thread();
}

/* Until nobody else is inside by the pass. False: *nap, which counts them, has come to max_naps. */
static bool wait_for(const gate_pass *pass, unsigned int *nap, unsigned int max_naps)
{
	for (unsigned int spin = 0; spin < SPINS_BEFORE_NAP; spin++) {
		if (!is_in_use(pass))
			return true;
		cpu_relax();
	}
	while (*nap < max_naps) {
		os_nap(nap_us((*nap)++));
		process_is_known(); /* a signal handler may have made a child */
		if (!is_in_use(pass))
			return true;
	}
	return false;
}

/* Slots are made and change hands by visitors only: these first. max_naps is for all together. */
static bool wait_until_empty(unsigned int max_naps)
{
	unsigned int nap = 0;
	bool done = true;

	for (unsigned int i = 0; done && i < NR_VISITOR_PASSES; i++)
		done = wait_for(&gate.visitors[i], &nap, max_naps);
	for (uint32_t id = 1; done && id <= slot_count(); id++) {
		struct slot *slot = slot_by_id(id);

		if (slot != current_slot && slot->state == SLOT_HELD)
			done = wait_for(&slot->inside, &nap, max_naps);
	}
	return done;
}

/* Closed by this thread; or for good; or by another, as long as this thread is inside. */
static bool try_close(bool interrupted)
{
	uintptr_t open = 0;

	return process_is_known() &&
	       (atomic_compare_exchange_strong(&gate.closed_by, &open, this_thread()) ||
		is_closed_by_me(open) || open == GATE_CLOSED_FOR_GOOD || interrupted);
}

void gate_close(void)
{
	bool interrupted = has_pass(), is_alone;

	WRITE_ONCE(depth, depth + 1);
	for (unsigned int nap = 0; !try_close(interrupted); nap++)
		os_nap(nap_us(nap));
	is_alone = wait_until_empty(interrupted ? NAPS_IF_INTERRUPTED : UINT32_MAX);
	/* If another has closed it he may enter and open at any time. */
	WRITE_ONCE(is_empty, is_alone && is_closed_by_me(gate.closed_by));
	if (interrupted)
		locks_take_rest();
}

/* The last of nested ones. The gate may be another thread's: see try_close. */
static void end_close(void)
{
	uintptr_t closed_by;

	WRITE_ONCE(is_empty, false);
	locks_release_rest();
	closed_by = atomic_load(&gate.closed_by);
	if (is_closed_by_me(closed_by))
		atomic_compare_exchange_strong(&gate.closed_by, &closed_by, 0);
}

/* What others were refused meanwhile need not wait until somebody comes by. */
static void see_to_pending(void)
{
	gate_pass *pass = gate.pending ? gate_enter() : NULL;

	if (pass)
		gate_leave(pass);
}

void gate_open(void)
{
	if (!depth)
		return; /* registered while another library's handlers ran */
	WRITE_ONCE(depth, depth - 1);
	if (depth)
		return;
	end_close();
	see_to_pending();
}

bool gate_close_briefly(void)
{
	uintptr_t open = 0;
	bool closed;

	if (is_inside() || depth)
		return false;
	WRITE_ONCE(depth, 1);
	closed = process_is_known() &&
		 (atomic_compare_exchange_strong(&gate.closed_by, &open,
						 this_thread() | GATE_CLOSED_BRIEFLY) ||
		  is_closed_by_me(open)); /* a signal handler has forked just now */
	if (closed) {
		closed = wait_until_empty(NAPS_IF_BRIEF);
		WRITE_ONCE(is_empty, closed);
	}
	if (!closed)
		gate_open();
	return closed;
}

/* Handlers of other libraries may have entered, and made threads that are inside. */
void gate_after_fork(void)
{
	if (gate.process_known == &always_known)
		examine_child();
	else
		process_is_known();
	gate_open();
	see_to_pending();
}
