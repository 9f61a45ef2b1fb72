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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/format.h"
#include "base/math.h"
#include "core/params.h"
#include "core/printk.h"
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
static _Atomic bool has_reported, is_looking;

static void keep_stderr(void)
{
	kept_fd = os_duplicate_fd(2, 100);
	if (kept_fd >= 0 && os_file_of(kept_fd, &kept_file)) {
		os_close(kept_fd);
		kept_fd = -1;
	}
}

/* Some close every descriptor: then the number is somebody else's connection by now. */
static int kept_stderr(void)
{
	struct os_file now;

	if (kept_fd < 0 || os_file_of(kept_fd, &now) || now.inode != kept_file.inode ||
	    now.device != kept_file.device)
		return -1;
	return kept_fd;
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
		pr_err("leak report: cannot write to log_path=%s: error %d", path, -fd);
	return fd < 0 ? kept_stderr() : fd;
}

/* A closed pipe is an error of the report, and no reason to end by a signal. */
static int print_quietly(int fd, const struct leak_header *header)
{
	static struct report report;
	sigset_t pipe_signal, before, pending;
	struct timespec at_once = { 0, 0 };
	bool was_pending;
	int error;

	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
	report_init(&report, report_to_fd, &fd);
	leak_report_print(&report, header);
	error = report_finish(&report);
	if (error == -EPIPE && !was_pending)
		sigtimedwait(&pipe_signal, NULL, &at_once);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
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
	error = print_quietly(fd, header);
	if (error)
		pr_err("leak report: not all could be written: error %d", -error);
	if (fd != kept_fd)
		os_close(fd);
}

/* A program's own rules, as LeakSanitizer asks for them. */
const char *__lsan_default_suppressions(void) __attribute__((weak));

static void add_rules(void)
{
	static bool done;
	static char text[KIB(64)];
	const char *own = __lsan_default_suppressions ? __lsan_default_suppressions() : NULL;
	long length = params.suppressions[0] ?
			      os_read_file(params.suppressions, text, sizeof(text)) :
			      0;

	if (done)
		return;
	done = true;
	if (length < 0)
		pr_err("suppressions=%s cannot be read: error %ld", params.suppressions, -length);
	else if (length == sizeof(text))
		pr_err("suppressions=%s: only the first %zu bytes count", params.suppressions,
		       sizeof(text));
	if (length > 0)
		suppress_add(text, (size_t)length, params.suppressions);
	if (own)
		suppress_add(own, strlen(own), "__lsan_default_suppressions");
	suppress_add_builtin();
}

/* Returns whether there are leaks. */
static bool report_leaks(const struct leak_caller *caller)
{
	struct leak_header header = { 0 };
	const char *why;
	bool leaks;

	add_rules();
	leaks = leak_check(caller, &header, &why);
	if (why)
		pr_err("no leak report: %s", why);
	else if (leaks || params.leak_print == LEAK_PRINT_ALWAYS)
		print_report(&header);
	leak_check_end();
	return leaks;
}

/* Roots are what is in registers and on the stack from here on. */
static __attribute__((noinline)) bool check_leaks(void)
{
	struct leak_caller caller;

	__asm__ volatile("mov %%rbx, 0(%0)\n\tmov %%rbp, 8(%0)\n\tmov %%r12, 16(%0)\n\t"
			 "mov %%r13, 24(%0)\n\tmov %%r14, 32(%0)\n\tmov %%r15, 40(%0)"
			 :
			 : "r"(caller.registers)
			 : "memory");
	caller.stack_pointer = (uintptr_t)__builtin_frame_address(0);
	return report_leaks(&caller);
}

static bool is_reporting_process(void)
{
	return reporting_pid && os_getpid() == reporting_pid;
}

/* Nobody else is at it. */
static bool look_once(void)
{
	bool leaks;

	if (!is_reporting_process() || atomic_exchange(&is_looking, true))
		return false;
	leaks = check_leaks();
	is_looking = false;
	return leaks;
}

/* --- when ------------------------------------------------------------------------------------- */

/* The last look, and the status to end with: the program's, or the one for leaks. */
static int last_look(int status)
{
	if (!is_reporting_process() || atomic_exchange(&has_reported, true) || !look_once() ||
	    !params.exitcode)
		return status;
	return (int)params.exitcode;
}

static void at_exit(void *unused)
{
	int status;

	(void)unused;
	if (params.stats && kept_stderr() >= 0)
		usage_print(kept_stderr());
	status = last_look(0);
	if (status) {
		fflush(NULL);
		os_exit(status);
	}
}

int exit_look_for_leaks(void)
{
	return look_once();
}

void exit_check_leaks_now(void)
{
	int status = last_look(0);

	if (status)
		exit(status);
}

static _Noreturn void leave(int status)
{
	os_exit(last_look(status));
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
	if (!params.stats && !params.leaks)
		return;
	unwind_start();
	keep_stderr();
	reporting_pid = params.leaks ? os_getpid() : 0;
	__cxa_atexit(at_exit, NULL, NULL);
	if (params.leaks)
		__cxa_at_quick_exit(at_exit, NULL);
}

void exit_after_fork(void)
{
	if (!reporting_pid)
		return;
	reporting_pid = params.children ? os_getpid() : 0;
	has_reported = is_looking = false;
}
#endif
