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
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/format.h"
#include "base/math.h"
#include "core/params.h"
#include "core/report.h"
#include "debug/leak_check.h"
#include "debug/suppress.h"
#include "debug/unwind.h"
#include "entry.h"
#include "os/os.h"
#include "os/os_copy.h"
#include "os/os_proc.h"

#if !STITCH_PREFIX

#define PATH_BYTES 4096u
#define COMMAND_BYTES 512u
/* Ten seconds, of which a thread that can be stopped sees little. */
#define MAX_WAITS 10000u
#define WAIT_US 1000u

/* Exported by libc for its compilers' runtimes. With handle NULL: at exit only, not at dlclose. */
int __cxa_atexit(void (*function)(void *), void *argument, void *handle);
int __cxa_at_quick_exit(void (*function)(void *), void *handle);
_Noreturn void _exit(int status);
_Noreturn void _Exit(int status);

/* Many programs close stderr before they are through; this copy of it is ours. */
static bool is_stderr_kept;
static int kept_fd = -1;
static struct os_file kept_file;

/* The process that reports; 0: none does. */
static int reporting_pid;
static _Atomic bool has_reported, is_done;

static void keep_stderr(void)
{
	is_stderr_kept = true;
	kept_fd = os_duplicate_fd(2, 100);
	if (kept_fd < 0) /* few descriptors are allowed */
		kept_fd = os_duplicate_fd(2, 3);
	if (kept_fd >= 0 && os_file_of(kept_fd, &kept_file)) {
		os_close(kept_fd);
		kept_fd = -1;
	}
}

static bool is_kept_file(int fd)
{
	struct os_file now;

	return fd >= 0 && !os_file_of(fd, &now) && now.inode == kept_file.inode &&
	       now.device == kept_file.device;
}

/*
 * Some close every descriptor: then the number is somebody else's connection by now. Some close all
 * from 3 on. -1: there is no stderr any more. Where it was not known that a report would be wanted
 * it is what the program has now.
 */
static int kept_stderr(void)
{
	if (kept_fd < 0)
		return is_stderr_kept ? -1 : 2;
	return is_kept_file(kept_fd) ? kept_fd : is_kept_file(2) ? 2 : -1;
}

/* As pr_err, but not into a file that the program has opened in stderr's place. */
void exit_complain(const char *format, ...)
{
	static char line[PATH_BYTES + 256]; /* stacks may be small; one thread at a time looks */
	size_t length = format_text(line, sizeof(line), "stitchmalloc: ");
	va_list args;

	va_start(args, format);
	length += format_text_v(line + length, sizeof(line) - length - 1, format, args);
	va_end(args);
	length = min_size(length, sizeof(line) - 2);
	line[length] = '\n';
	if (kept_stderr() >= 0)
		os_write(kept_stderr(), line, length + 1);
}

static const char *reason(int error)
{
	const char *text = strerrordesc_np(error);

	return text ? text : "unknown error";
}

/* --- the leak report -------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void read_path(char *path)
{
	long length = os_read_executable(path, PATH_BYTES - 1);

	if (length <= 0) {
		strcpy(path, "?");
		return;
	}
	path[length] = 0;
}

/* Arguments are separated by zeros. */
static void read_command(char *command)
{
	long length = os_read_kernel_file("/proc/thread-self/cmdline", command, COMMAND_BYTES - 1);

	length = length > 0 ? length : 0;
	while (length && !command[length - 1])
		length--;
	for (long i = 0; i < length; i++)
		if ((unsigned char)command[i] < ' ')
			command[i] = ' ';
	command[length] = 0;
}

/* %p, %e and %h in the option's text. */
static void expand_log_path(char *path, const struct leak_header *header)
{
	static char exe[PATH_BYTES];
	struct utsname names;
	size_t at = 0;

	uname(&names);
	read_path(exe);
	for (const char *from = params.log_path; *from && at < PATH_BYTES - 1; from++) {
		size_t room = PATH_BYTES - at;
		char letter = *from == '%' ? from[1] : 0;

		if (letter == 'p')
			at += format_text(path + at, room, "%d", header->pid);
		else if (letter == 'e')
			at += format_text(path + at, room, "%s", base_name(exe));
		else if (letter == 'h')
			at += format_text(path + at, room, "%s", names.nodename);
		else
			path[at++] = *from;
		from += letter == 'p' || letter == 'e' || letter == 'h' || letter == '%';
	}
	path[min_size(at, PATH_BYTES - 1)] = 0;
}

static int open_log(const struct leak_header *header)
{
	char path[PATH_BYTES];
	int fd;

	if (!params.log_path[0])
		return kept_stderr();
	expand_log_path(path, header);
	fd = os_open_log(path);
	if (fd < 0)
		exit_complain("leak report: cannot write to log_path=%s: %s", path, reason(-fd));
	return fd < 0 ? kept_stderr() : fd;
}

int exit_report_by(report_sink *sink, void *context, struct leak_header *header)
{
	static char exe[PATH_BYTES], command[COMMAND_BYTES];
	static struct report report;

	read_path(exe);
	read_command(command);
	header->exe = exe;
	header->command = command;
	report_init(&report, sink, context);
	leak_report_print(&report, header);
	return report_finish(&report);
}

void exit_print_report(struct leak_header *header)
{
	int fd = open_log(header), error;

	if (fd < 0)
		return;
	error = exit_report_by(report_to_fd, &fd, header);
	if (error)
		exit_complain("leak report: not all could be written to %s: %s",
			      params.log_path[0] ? params.log_path : "standard error",
			      reason(-error));
	if (fd != kept_fd && fd != 2)
		os_close(fd);
}

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
		exit_complain("suppressions=%s cannot be read: %s", params.suppressions,
			      reason((int)-length));
	else if (length == sizeof(text))
		exit_complain("suppressions=%s: only the first %zu bytes count",
			      params.suppressions, sizeof(text));
	if ((params.suppressions[0] || own) && params.leaks != LEAKS_FULL)
		exit_complain("suppressions need stacks: leaks=full");
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
 * With signals blocked; if it is the last look they stay so, for other threads stand still. Those
 * of the kernel for a closed pipe and a file that is too long are no reason to end by.
 */
static void look_quietly(struct leak_check *check)
{
	uint64_t mask = os_block_signals();
	struct timespec at_once = { 0, 0 };
	sigset_t before, ours;

	sigpending(&before);
	if (!check->prepare)
		exit_add_rules();
	leak_check_run(check);
	if (check->why)
		exit_complain("no leak report: %s", check->why);
	sigemptyset(&ours);
	if (!sigismember(&before, SIGPIPE))
		sigaddset(&ours, SIGPIPE);
	if (!sigismember(&before, SIGXFSZ))
		sigaddset(&ours, SIGXFSZ);
	while (sigtimedwait(&ours, NULL, &at_once) > 0)
		continue;
	if (!check->is_last)
		os_restore_signals(mask);
}

/* Until no other thread looks. If it is the last look, that one ends the process meanwhile. */
static void wait_for_other(void)
{
	for (unsigned int i = 0; i < MAX_WAITS && looking_tid && looking_tid != os_gettid(); i++)
		os_nap(WAIT_US);
}

bool exit_look(struct leak_check *check)
{
	int nobody = 0;

	wait_for_other();
	if (!atomic_compare_exchange_strong(&looking_tid, &nobody, os_gettid()))
		return false;
	look_quietly(check);
	looking_tid = 0;
	return true;
}

/*
 * Roots are what was in registers and on the stack when exit was called; without exit, what is from
 * here on. Returns whether there are leaks.
 */
static __attribute__((noinline)) bool look_once(bool is_last)
{
	struct leak_check check = { .print = exit_print_report, .is_last = is_last };

	if (!is_reporting_process())
		return false;
	leak_check_note_caller(&check);
	if (!unwind_to_caller((uintptr_t)exit, &check.caller))
		unwind_to_caller((uintptr_t)quick_exit, &check.caller);
	return exit_look(&check) && check.has_leaks;
}

/* Another thread looks for the last time, and is going to stop this one: it ends the process. */
static void wait_for_report(void)
{
	for (unsigned int i = 0; i < MAX_WAITS && !is_done && looking_tid != os_gettid(); i++)
		os_nap(WAIT_US);
}

/* The last look, and the status to end with: the program's, or the one for leaks. */
static int last_look(int status)
{
	if (!is_reporting_process())
		return status;
	if (atomic_exchange(&has_reported, true)) {
		wait_for_report();
		return status;
	}
	if (look_once(true) && params.exitcode)
		status = (int)params.exitcode;
	is_done = true;
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

	if (!is_reporting_process() || atomic_exchange(&has_reported, true))
		return;
	leaks = look_once(false);
	is_done = true;
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

void exit_arm(void)
{
	if (!params.stats && !params.leaks && !params.leak_signal[0])
		return;
	unwind_start();
	keep_stderr();
	if (!params.stats && !params.leaks)
		return;
	reporting_pid = params.leaks ? os_getpid() : 0;
	__cxa_atexit(at_exit, NULL, NULL);
	if (params.leaks)
		__cxa_at_quick_exit(quick_exit_begins, NULL);
}

void exit_after_fork(void)
{
	if (!reporting_pid)
		return;
	reporting_pid = params.children ? os_getpid() : 0;
	has_reported = is_done = false;
	looking_tid = 0;
}
#endif
