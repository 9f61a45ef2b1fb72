/*
 * demand.c - leak reports of a program that lives on: stitch_leak_scan, leak_signal=.
 *
 * L10. A copy of the process looks (os/os_copy.h). Who calls waits for it; a signal handler does
 * not: what its copy has found, and the copy itself, wait for the next scan.
 *
 * What a copy knows goes back through memory that it shares with the process. One copy at a time.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/params.h"
#include "debug/leak_check.h"
#include "debug/leak_news.h"
#include "debug/private_map.h"
#include "entry.h"
#include "kept_stderr.h"
#include "kmalloc/gate.h"
#include "leak_log.h"
#include "os/os.h"
#include "os/os_copy.h"
#include "os/os_signal.h"
#include "stitch/stitch.h"

#if !STITCH_PREFIX

#define ALL_FLAGS (STITCH_LEAKS_NEW | STITCH_LEAKS_ALWAYS | STITCH_LEAKS_QUIET)

/* Ten seconds for a scan of another thread. */
#define MAX_WAITS 10000u
#define WAIT_US 1000u
/* A handler that comes amid malloc, or before the last copy is through, comes again for a while. */
#define MAX_RETRIES 200u
#define RETRY_US 1000u

struct outcome {
	bool is_complete; /* whoever looked came to the end of it */
	bool is_done;	  /* it could be done */
	size_t lost_bytes;
};

static struct {
	_Atomic int tid; /* who has all of this; 0: nobody */
	int copy;	 /* that looks or has looked; 0: none */
	struct outcome *outcome;
	unsigned int nr_scans;
	uint64_t begun_ms;
	/* The last one that is still known. 0: none. */
	unsigned int known;
	uint64_t known_ms;
} demand;

/* --- a scan ----------------------------------------------------------------------------------- */

static bool take(unsigned int max_waits)
{
	int nobody = 0;

	while (!atomic_compare_exchange_strong(&demand.tid, &nobody, os_gettid())) {
		if (nobody == os_gettid() || !max_waits--)
			return false;
		nobody = 0;
		os_nap(WAIT_US);
	}
	return true;
}

/* A scan is over: it is the one that the next is compared with. */
static void keep_outcome(void)
{
	if (leak_news_end(demand.outcome->is_complete && demand.outcome->is_done)) {
		demand.known = demand.nr_scans;
		demand.known_ms = demand.begun_ms;
	}
	if (!demand.outcome->is_complete)
		complain("no leak report: the copy of the process that looked has crashed");
}

/* False: there is a copy that still looks. */
static bool settle_copy(bool wait)
{
	int error;

	if (!demand.copy)
		return true;
	do
		error = os_wait_for_copy(demand.copy, wait);
	while (wait && error == -EINTR);
	if (error == -EAGAIN || error == -EINTR)
		return false;
	demand.copy = 0;
	keep_outcome();
	return true;
}

static void note_outcome(struct leak_check *check)
{
	demand.outcome->is_done = !check->why;
	demand.outcome->lost_bytes = check->lost_bytes;
	demand.outcome->is_complete = true;
}

static void end_copy(struct leak_check *check)
{
	if (check->why)
		complain("no leak report: %s", check->why);
	note_outcome(check);
}

static void prepare(struct leak_check *check)
{
	if (os_getpid() != check->header.pid)
		exit_begin_copy();
	exit_add_rules();
}

static bool prepare_outcome(void)
{
	if (!demand.outcome)
		demand.outcome = private_map_shared(sizeof(*demand.outcome));
	if (demand.outcome)
		*demand.outcome = (struct outcome){ 0 };
	return demand.outcome;
}

static struct leak_header header_of_scan(bool only_new)
{
	struct leak_header header = { .scan = demand.nr_scans };

	if (only_new && demand.known) {
		header.since = demand.known;
		header.seconds = (unsigned int)((demand.begun_ms - demand.known_ms) / 1000);
	}
	return header;
}

/* check->caller is known. 0 or -errno; of the copy there is to be heard yet. */
static int begin_scan(struct leak_check *check, unsigned int flags)
{
	bool only_new = flags & STITCH_LEAKS_NEW;

	if (!prepare_outcome())
		return -ENOMEM;
	demand.nr_scans++;
	demand.begun_ms = os_clock_ms();
	leak_news_begin(only_new);
	check->header = header_of_scan(only_new);
	check->is_on_demand = true;
	check->prepare = prepare;
	check->print = flags & STITCH_LEAKS_QUIET ? NULL : leak_log_write;
	check->prints_always = flags & STITCH_LEAKS_ALWAYS;
	check->end_copy = end_copy;
	if (!exit_look(check))
		return -EBUSY;
	demand.copy = check->copy;
	if (!check->copy) {
		note_outcome(check);
		keep_outcome();
	}
	return 0;
}

/* --- by a call -------------------------------------------------------------------------------- */

static long scan_and_wait(struct leak_check *check, unsigned int flags)
{
	int error;

	settle_copy(true);
	error = begin_scan(check, flags);
	if (error)
		return error;
	settle_copy(true);
	return demand.outcome->is_done ? (long)demand.outcome->lost_bytes : -EAGAIN;
}

/* What the functions below its caller have is no root. */
static __attribute__((noinline)) long scan_for_caller(unsigned int flags)
{
	struct leak_check check = { 0 };
	long ret;

	if (flags & ~ALL_FLAGS)
		return -EINVAL;
	if (!CONFIG_LEAKS || !heap_ready())
		return -ENOSYS;
	if (!take(MAX_WAITS))
		return -EBUSY;
	leak_check_note_caller(&check);
	unwind_start(false);
	unwind_to_caller((uintptr_t)scan_for_caller, &check.caller);
	ret = scan_and_wait(&check, flags);
	demand.tid = 0;
	return ret == -ENOMEM ? -EAGAIN : ret;
}

__visible long stitch_leak_scan(unsigned int flags)
{
	int saved_errno = errno;
	long ret = scan_for_caller(flags);

	errno = ret < 0 ? (int)-ret : saved_errno;
	return ret < 0 ? -1 : ret;
}

/* --- by a signal ------------------------------------------------------------------------------ */

/* Amid malloc or free the heap is not whole, and cannot become so before the handler returns. */
static bool is_good_moment(void)
{
	if (gate_is_interrupted() || !take(0))
		return false;
	if (settle_copy(false))
		return true;
	demand.tid = 0;
	return false;
}

static _Atomic unsigned int nr_retries;

/* The signal comes again. False: it has done so for long. */
static bool put_off(int number)
{
	if (nr_retries++ < MAX_RETRIES && !os_signal_later(number, RETRY_US))
		return true;
	nr_retries = 0;
	return false;
}

static void scan_at_signal(const void *context)
{
	struct leak_check check = { .caller.stack_pointer = os_signal_stack_in_use(context) };

	nr_retries = 0;
	if (begin_scan(&check, STITCH_LEAKS_ALWAYS))
		complain("no leak report: no memory for it, or another is being made");
	demand.tid = 0;
}

static void on_signal(int number, void *info, void *context)
{
	int saved_errno = errno;

	(void)info;
	if (is_good_moment())
		scan_at_signal(context);
	else if (!put_off(number))
		complain("no leak report: the last one is still being made, or malloc is "
			      "never left");
	errno = saved_errno;
}

static int realtime_signal(const char *name)
{
	const char *number = name + strlen("RTMIN");

	if (strncmp(name, "RTMIN", strlen("RTMIN")) || (*number && *number != '+'))
		return 0;
	return SIGRTMIN + (*number ? atoi(number + 1) : 0);
}

/* 0: there is no such signal. */
static int signal_by_name(const char *name)
{
	if (*name >= '0' && *name <= '9')
		return atoi(name);
	if (!strncmp(name, "SIG", strlen("SIG")))
		name += strlen("SIG");
	for (int number = 1; number < SIGRTMIN; number++) {
		const char *known = sigabbrev_np(number);

		if (known && !strcmp(known, name))
			return number;
	}
	return realtime_signal(name);
}

/* Those of an error must end the program as ever. */
static bool is_signal_of_error(int number)
{
	return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL ||
	       number == SIGTRAP || number == SIGABRT || number == SIGSYS;
}

void demand_arm(void)
{
	int number = params.leak_signal[0] ? signal_by_name(params.leak_signal) : 0;
	os_signal_fn *present;

	if (!params.leak_signal[0])
		return;
	if (number < 1 || number > SIGRTMAX || is_signal_of_error(number))
		complain("leak_signal=%s: no signal to be used for it", params.leak_signal);
	else if (os_signal_handler(number, &present) ||
		 (present && present != OS_SIGNAL_IGNORED) || os_signal_handle(number, on_signal))
		complain("leak_signal=%s cannot be handled, or is handled already",
			      params.leak_signal);
}

void demand_after_fork(void)
{
	leak_news_forget();
	private_unmap(demand.outcome);
	memset(&demand, 0, sizeof(demand));
}
#endif
