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
static int kept_fd = -1;
static struct os_file kept_file;

/* The process that reports; 0: none does. */
static int reporting_pid;
static _Atomic bool has_reported, is_done;

static void keep_stderr(void)
{
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
 * from 3 on. -1: there is no stderr any more.
 */
static int kept_stderr(void)
{
	if (kept_fd < 0)
		return -1;
	return is_kept_file(kept_fd) ? kept_fd : is_kept_file(2) ? 2 : -1;
}

/* As pr_err, but not into a file that the program has opened in stderr's place. */
static void complain(const char *format, ...) __printf_like(1, 2);

static void complain(const char *format, ...)
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
static void expand_log_path(char *path, const char *exe)
{
	struct utsname names;
	size_t at = 0;

	uname(&names);
	for (const char *from = params.log_path; *from && at < PATH_BYTES - 1; from++) {
		size_t room = PATH_BYTES - at;
		char letter = *from == '%' ? from[1] : 0;

		if (letter == 'p')
			at += format_text(path + at, room, "%d", os_getpid());
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

static int open_log(const char *exe)
{
	char path[PATH_BYTES];
	int fd;

	if (!params.log_path[0])
		return kept_stderr();
	expand_log_path(path, exe);
	fd = os_open_log(path);
	if (fd < 0)
		complain("leak report: cannot write to log_path=%s: %s", path, reason(-fd));
	return fd < 0 ? kept_stderr() : fd;
}

static int print_to(int fd, const struct leak_header *header)
{
	static struct report report;

	report_init(&report, report_to_fd, &fd);
	leak_report_print(&report, header);
	return report_finish(&report);
}

static void print_report(struct leak_header *header)
{
	static char exe[PATH_BYTES], command[COMMAND_BYTES];
	int fd, error;

	read_path(exe);
	read_command(command);
	header->exe = exe;
	header->command = command;
	header->pid = os_getpid();
	fd = open_log(exe);
	if (fd < 0)
		return;
	error = print_to(fd, header);
	if (error)
		complain("leak report: not all could be written to %s: %s",
			 params.log_path[0] ? params.log_path : "standard error", reason(-error));
	if (fd != kept_fd && fd != 2)
		os_close(fd);
}

/* A program's own rules, as LeakSanitizer asks for them. */
const char *__lsan_default_suppressions(void) __attribute__((weak));

static void add_rules(void)
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
			 reason((int)-length));
	else if (length == sizeof(text))
		complain("suppressions=%s: only the first %zu bytes count", params.suppressions,
			 sizeof(text));
	if ((params.suppressions[0] || own) && params.leaks != LEAKS_FULL)
		complain("suppressions need stacks: leaks=full");
	if (length > 0)
		suppress_add(text, (size_t)length, params.suppressions);
	if (own)
		suppress_add(own, strlen(own), "__lsan_default_suppressions");
	suppress_add_builtin();
}

/*
 * Roots are what was in registers and on the stack when exit was called; without exit, what is from
 * here on. Returns whether there are leaks.
 */
static __attribute__((noinline)) bool check_leaks(bool is_last)
{
	struct leak_check check = { .print = print_report, .is_last = is_last };

	__asm__ volatile("mov %%rbx, 0(%0)\n\tmov %%rbp, 8(%0)\n\tmov %%r12, 16(%0)\n\t"
			 "mov %%r13, 24(%0)\n\tmov %%r14, 32(%0)\n\tmov %%r15, 40(%0)"
			 :
			 : "r"(check.caller.registers)
			 : "memory");
	check.caller.stack_pointer = (uintptr_t)__builtin_frame_address(0);
	if (!unwind_to_caller((uintptr_t)exit, &check.caller))
		unwind_to_caller((uintptr_t)quick_exit, &check.caller);
	add_rules();
	leak_check_run(&check);
	if (check.why)
		complain("no leak report: %s", check.why);
	return check.has_leaks;
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
static bool look_quietly(bool is_last)
{
	uint64_t mask = os_block_signals();
	struct timespec at_once = { 0, 0 };
	sigset_t before, ours;
	bool leaks;

	sigpending(&before);
	leaks = check_leaks(is_last);
	sigemptyset(&ours);
	if (!sigismember(&before, SIGPIPE))
		sigaddset(&ours, SIGPIPE);
	if (!sigismember(&before, SIGXFSZ))
		sigaddset(&ours, SIGXFSZ);
	while (sigtimedwait(&ours, NULL, &at_once) > 0)
		continue;
	if (!is_last)
		os_restore_signals(mask);
	return leaks;
}

/* Until no other thread looks. If it is the last look, that one ends the process meanwhile. */
static void wait_for_other(void)
{
	for (unsigned int i = 0; i < MAX_WAITS && looking_tid && looking_tid != os_gettid(); i++)
		os_nap(WAIT_US);
}

static bool look_once(bool is_last)
{
	int nobody = 0;
	bool leaks;

	if (!is_reporting_process())
		return false;
	wait_for_other();
	if (!atomic_compare_exchange_strong(&looking_tid, &nobody, os_gettid()))
		return false;
	leaks = look_quietly(is_last);
	looking_tid = 0;
	return leaks;
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

/* Then we were there from the start: a library that is opened later comes behind libc. */
static bool is_the_process_malloc(void)
{
	return dlsym(RTLD_DEFAULT, "malloc") == (void *)malloc; // NOLINT
}

void exit_arm(void)
{
	if (!params.stats && !params.leaks)
		return;
	unwind_start(is_the_process_malloc());
	keep_stderr();
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
