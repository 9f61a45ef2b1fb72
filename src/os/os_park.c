/* os_park.c - see os_park.h. */
#include <asm/errno.h>
#include <asm/signal.h>
#include <asm/unistd.h>

#include <string.h>

#include "base/math.h"
#include "os/os.h"
#include "os/os_park.h"
#include "os/os_proc.h"
#include "os/os_signal.h"
#include "os/syscall.h"

/* Debuggers do not stop at the first two. Of real-time signals the last ones are used least. */
static const int signals[] = { SIGURG, SIGWINCH, 64, 63, 62, 61, 60, 59, 58, 57, 56, 55 };
#define NAP_US 100u

struct os_parked os_parked[OS_MAX_PARKED];

/* Goes up at every start and end: odd while threads wait, each for the number to change. */
static _Atomic uint32_t parking_round;
static _Atomic uint32_t nr_taken;   /* records */
static _Atomic uint32_t nr_arrived; /* threads */
static int signal_number;

static void add_record(int tid, uintptr_t stack_pointer, uintptr_t thread_pointer)
{
	uint32_t i = atomic_fetch_add(&nr_taken, 1);

	if (i >= OS_MAX_PARKED)
		return;
	os_parked[i].stack_pointer = stack_pointer;
	os_parked[i].thread_pointer = thread_pointer;
	os_parked[i].tid = tid;
}

/* Who comes late passes through. */
static void park_here(int number, void *info, void *context)
{
	uint32_t now = atomic_load(&parking_round);

	(void)number;
	(void)info;
	if (now % 2) {
		add_record(os_gettid(), os_signal_stack_in_use(context), os_thread_pointer());
		atomic_fetch_add(&nr_arrived, 1);
	}
	while (now % 2 && atomic_load(&parking_round) == now)
		os_futex_wait(&parking_round, now);
}

/* One that the program has no handler for. It stays ours: a call may still be on its way. */
static bool take_signal(void)
{
	os_signal_fn *present;

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		signal_number = signals[i];
		if (!os_signal_handler(signal_number, &present) &&
		    (!present || present == park_here))
			return !os_signal_handle(signal_number, park_here);
	}
	return false;
}

struct call_round {
	int self;
	uint32_t nr_called; /* threads that can come, or have */
	uint32_t nr_deaf;   /* that block the signal */
};

/* A record of a thread that blocks the signal has no thread pointer: it may come yet. */
static bool has_record(int tid, bool arrived)
{
	for (uint32_t i = 0; i < nr_taken && i < OS_MAX_PARKED; i++)
		if (os_parked[i].tid == tid && (os_parked[i].thread_pointer || !arrived))
			return true;
	return false;
}

/* Asleep in the kernel it stands still as well. */
static void note_deaf_thread(struct call_round *round, int tid, int listed)
{
	round->nr_deaf++;
	if (!has_record(tid, false))
		add_record(tid, os_thread_stack_pointer(listed), 0);
}

static void call_thread(void *context, int listed)
{
	struct call_round *round = context;
	int tid = os_tid_of_listed(listed);

	if (tid == round->self || os_thread_has_ended(listed))
		return;
	if (has_record(tid, true)) {
		round->nr_called++; /* it blocks all signals now */
	} else if (os_thread_blocks(listed, signal_number)) {
		note_deaf_thread(round, tid, listed);
	} else {
		round->nr_called++;
		syscall3(__NR_tgkill, os_getpid(), tid, signal_number);
	}
}

static void wait_for_arrival(uint32_t nr, uint64_t until)
{
	while (nr_arrived < nr && os_clock_ms() < until)
		os_nap(NAP_US);
}

static int call_once(struct call_round *round, uint64_t until)
{
	int error;

	*round = (struct call_round){ .self = os_gettid() };
	error = os_visit_threads(call_thread, round);
	wait_for_arrival(round->nr_called, until);
	return error;
}

/* Threads that begin block all signals for a moment. */
#define DEAF_ROUNDS 20u
#define DEAF_NAP_US 500u

/* Threads may make others until they are parked: once more, until there is none that was not. */
static int call_all(unsigned int max_ms)
{
	uint64_t until = os_clock_ms() + max_ms;
	unsigned int nr_deaf_rounds = 0;
	struct call_round round;
	uint32_t nr_before = 0;
	int error;

	for (;;) {
		error = call_once(&round, until);
		if (error)
			return error;
		if (os_clock_ms() >= until)
			break;
		if (round.nr_called == nr_before) {
			if (!round.nr_deaf || nr_deaf_rounds++ == DEAF_ROUNDS)
				break;
			os_nap(DEAF_NAP_US);
		}
		nr_before = round.nr_called;
	}
	return (int)(round.nr_deaf +
		     (round.nr_called > nr_arrived ? round.nr_called - nr_arrived : 0));
}

/* Who has come after all has two records. Returns how many are left. */
static unsigned int drop_doubles(void)
{
	unsigned int nr = (unsigned int)min_size(nr_taken, OS_MAX_PARKED);

	for (unsigned int i = 0; i < nr;) {
		if (!os_parked[i].thread_pointer && has_record(os_parked[i].tid, true))
			os_parked[i] = os_parked[--nr];
		else
			i++;
	}
	return nr;
}

int os_park(unsigned int max_ms, unsigned int *nr_records)
{
	int nr_going;

	memset(os_parked, 0, sizeof(os_parked[0]) * min_size(nr_taken, OS_MAX_PARKED));
	nr_taken = nr_arrived = 0;
	*nr_records = 0;
	if (!take_signal())
		return -EBUSY;
	atomic_fetch_add(&parking_round, 1);
	nr_going = call_all(max_ms);
	*nr_records = drop_doubles();
	return nr_going;
}

void os_unpark(void)
{
	if (atomic_load(&parking_round) % 2 == 0)
		return; /* os_park had no signal to do it with */
	atomic_fetch_add(&parking_round, 1);
	os_futex_wake(&parking_round, INT32_MAX);
}
