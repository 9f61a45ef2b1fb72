/*
 * exit.c - what is printed when the process ends: statistics, leaks.
 *
 * L10. Our handler is the first that is registered, so that it runs after all others and all
 * destructors, and before libc writes what is left in its FILEs. Programs that leave by _exit or
 * _Exit run no handlers: the two are ours, and the plain system call while nothing is asked for. A
 * child reports for itself if it was made by fork; one of vfork or of the bare system call
 * has its parent's memory, or is the parent's business.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "core/params.h"
#include "debug/alloc_profile.h"
#include "debug/leak_check.h"
#include "debug/suppress.h"
#include "debug/symbolise.h"
#include "debug/unwind.h"
#include "entry.h"
#include "kept_stderr.h"
#include "leak_log.h"
#include "os/os.h"
#include "os/os_copy.h"
#include "os/os_proc.h"

#if !STITCH_PREFIX

/* Ten seconds, of which a thread that can be stopped sees little. */
#define MAX_WAITS 10000u
#define WAIT_US 1000u

/* Exported by libc for its compilers' runtimes. With handle NULL: at exit only, not at dlclose. */
int __cxa_atexit(void (*function)(void *), void *argument, void *handle);
int __cxa_at_quick_exit(void (*function)(void *), void *handle);
_Noreturn void _exit(int status);
_Noreturn void _Exit(int status);

/* The process that reports; 0: none does. */
static int reporting_pid;
/* The last look; and the one for leaks, which the program may have asked for before. */
static _Atomic bool has_begun, is_over, has_reported, is_reported;

/* --- the leak report -------------------------------------------------------------------------- */

/* A program's own rules, as LeakSanitizer asks for them. */
const char *__lsan_default_suppressions(void) __attribute__((weak));

void exit_add_rules(void)
{
	static bool done;
	static char text[KIB(64)];
	const char *own = NULL;
	long length = 0;

	if (done)
		return;
	done = true;
	if (params.suppressions[0])
		length = os_read_file(params.suppressions, text, sizeof(text));
	if (__lsan_default_suppressions)
		own = __lsan_default_suppressions();
	if (length < 0)
		complain("suppressions=%s cannot be read: %s", params.suppressions,
			 reason_of((int)-length));
	else if (length == sizeof(text))
		complain("suppressions=%s: only the first %zu bytes count", params.suppressions,
			 sizeof(text));
	if ((params.suppressions[0] || own) && params.leaks < LEAKS_FULL)
		complain("suppressions need stacks: leaks=full or leaks=sample");
	if (length > 0)
		suppress_add(text, (size_t)length, params.suppressions);
	if (own)
		suppress_add(own, strlen(own), "__lsan_default_suppressions");
	suppress_add_builtin();
}

void exit_begin_copy(void)
{
	os_copy_begins(kept_stderr());
}

/* --- when ------------------------------------------------------------------------------------- */

static bool is_reporting_process(void)
{
	return reporting_pid && os_getpid() == reporting_pid;
}

/* Who looks at the moment; 0: nobody. */
static _Atomic int looking_tid;

/*
 * fn(argument) with signals blocked; if it is the last look they stay so, for other threads stand
 * still. Those of the kernel for a closed pipe and a file that is too long are no reason to end by.
 */
static void do_quietly(void (*fn)(void *), void *argument, bool is_last)
{
	uint64_t mask = os_block_signals();
	struct timespec at_once = { 0, 0 };
	sigset_t before, ours;

	sigpending(&before);
	fn(argument);
	sigemptyset(&ours);
	if (!sigismember(&before, SIGPIPE))
		sigaddset(&ours, SIGPIPE);
	if (!sigismember(&before, SIGXFSZ))
		sigaddset(&ours, SIGXFSZ);
	while (sigtimedwait(&ours, NULL, &at_once) > 0)
		continue;
	if (!is_last)
		os_restore_signals(mask);
}

/* Until no other thread looks. If it is the last look, that one ends the process meanwhile. */
static void wait_for_other(void)
{
	for (unsigned int i = 0; i < MAX_WAITS && looking_tid && looking_tid != os_gettid(); i++)
		os_nap(WAIT_US);
}

/* False: another thread looks. */
static bool do_alone(void (*fn)(void *), void *argument, bool is_last)
{
	int nobody = 0;

	wait_for_other();
	if (!atomic_compare_exchange_strong(&looking_tid, &nobody, os_gettid()))
		return false;
	do_quietly(fn, argument, is_last);
	looking_tid = 0;
	return true;
}

static void run_check(void *argument)
{
	struct leak_check *check = argument;

	if (!check->prepare)
		exit_add_rules();
	leak_check_run(check);
	if (check->why)
		complain("no leak report: %s", check->why);
}

bool exit_look(struct leak_check *check)
{
	return do_alone(run_check, check, check->is_last);
}

static void write_profile(void *unused)
{
	(void)unused;
	leak_log_write_profile();
}

static void name_and_write_profile(void *unused)
{
	symbolise_with_loader(write_profile, unused);
}

static void report_profile(void *unused)
{
	if (!leak_run_on_own_stack(name_and_write_profile, unused))
		complain("no allocation profile: no memory for it");
}

/*
 * Roots are what was in registers and on the stack when exit was called; without exit, what is from
 * here on. Returns whether there are leaks.
 */
static __attribute__((noinline)) bool look_once(bool is_last)
{
	struct leak_check check = { .print = leak_log_write, .is_last = is_last };

	if (!params.leaks || !is_reporting_process())
		return false;
	leak_check_note_caller(&check);
	if (!unwind_to_caller((uintptr_t)exit, &check.caller))
		unwind_to_caller((uintptr_t)quick_exit, &check.caller);
	return exit_look(&check) && check.has_leaks;
}

/*
 * Another thread looks, perhaps for the last time, and is going to stop this one and to end the
 * process then. That it is this one which looks: a signal handler of its own ends the process.
 */
static void wait_until(const _Atomic bool *is_done)
{
	for (unsigned int i = 0; i < MAX_WAITS && !*is_done && looking_tid != os_gettid(); i++)
		os_nap(WAIT_US);
}

/* The last look, and the status to end with: the program's, or the one for leaks. */
static int last_look(int status)
{
	if (!is_reporting_process())
		return status;
	if (atomic_exchange(&has_begun, true)) {
		wait_until(&is_over);
		return status;
	}
	if (params.profile)
		do_alone(report_profile, NULL, false);
	if (atomic_exchange(&has_reported, true))
		wait_until(&is_reported);
	else if (look_once(true) && params.exitcode)
		status = (int)params.exitcode;
	is_over = true;
	return status;
}

/* exit amid exit: libc goes on where it was, with this status. */
static void at_exit(void *unused)
{
	int status;

	(void)unused;
	if (params.stats && kept_stderr() >= 0)
		usage_print(kept_stderr());
	status = last_look(0);
	if (status)
		exit(status);
}

/* Unlike exit this writes nothing that is left in FILEs. */
static void quick_exit_begins(void *unused)
{
	int status;

	(void)unused;
	status = last_look(0);
	if (status)
		os_exit(status);
}

int exit_look_for_leaks(void)
{
	return look_once(false);
}

/* The process may go on, so that it is no last look to those who stand still. */
void exit_check_leaks_now(void)
{
	bool leaks;

	if (!params.leaks || !is_reporting_process() || atomic_exchange(&has_reported, true))
		return;
	leaks = look_once(false);
	is_reported = true;
	if (leaks && params.exitcode)
		exit((int)params.exitcode);
}

/* A sanitizer's, which looks for its own reports. */
_Noreturn void __interceptor__exit(int status) __attribute__((weak));

static _Noreturn void leave(int status)
{
	status = last_look(status);
	if (__interceptor__exit)
		__interceptor__exit(status);
	os_exit(status);
}

__visible _Noreturn void _exit(int status)
{
	leave(status);
}

__visible _Noreturn void _Exit(int status)
{
	leave(status);
}

/* Then we were there from the start: a library that is opened later comes behind libc. */
static bool is_the_process_malloc(void)
{
	return dlsym(RTLD_DEFAULT, "malloc") == (void *)malloc; // NOLINT
}

void exit_arm(void)
{
	bool reports = params.leaks || params.profile;

	if (!params.stats && !reports && !params.leak_signal[0])
		return;
	unwind_start(is_the_process_malloc());
	keep_stderr();
	if (!params.stats && !reports)
		return;
	reporting_pid = reports ? os_getpid() : 0;
	__cxa_atexit(at_exit, NULL, NULL);
	if (reports)
		__cxa_at_quick_exit(quick_exit_begins, NULL);
}

void exit_after_fork(void)
{
	looking_tid = 0;
	if (!reporting_pid)
		return;
	reporting_pid = params.children ? os_getpid() : 0;
	has_begun = is_over = has_reported = is_reported = false;
	alloc_profile_after_fork();
}
#endif
