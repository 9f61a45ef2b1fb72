/*
 * report.c - `stitchmalloc report PID NAME`: what the kernel shows in /proc, of a process's heap.
 *
 * The process is neither stopped nor prepared: its memory is read from outside, by the walker that
 * the library has as well (src/proc/proc_view.h).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "complain.h"
#include "image.h"
#include "proc/proc_view.h"
#include "report.h"
#include "task.h"

enum { REPORT_USAGE = 2 };

static bool read_remote(void *context, uint64_t address, void *to, size_t bytes)
{
	struct iovec local = { to, bytes }, remote = { (void *)(uintptr_t)address, bytes };

	return process_vm_readv(*(pid_t *)context, &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

static int to_stdout(void *context, const char *text, size_t bytes)
{
	(void)context;
	return fwrite(text, 1, bytes, stdout) == bytes ? 0 : -EIO;
}

static int list_names(void)
{
	for (unsigned int i = 0; proc_report_name(i); i++)
		puts(proc_report_name(i));
	return end_of_output();
}

static bool is_known(const char *name)
{
	for (unsigned int i = 0; proc_report_name(i); i++)
		if (!strcmp(proc_report_name(i), name))
			return true;
	return false;
}

/* 0, or why not, said. */
static int check_rights(pid_t pid, pid_t tid)
{
	char byte;
	struct iovec local = { &byte, 1 }, remote = { NULL, 1 };

	/* Nothing lies at 0: EFAULT says that all else is well. */
	if (!tid)
		return complain("there is no process %d", pid);
	if (process_vm_readv(tid, &local, 1, &remote, 1, 0) >= 0 || errno == EFAULT)
		return 0;
	if (errno == ESRCH)
		return complain("there is no process %d", pid);
	if (errno != EPERM)
		return complain("process %d: %s", pid, strerror(errno));
	return complain("process %d may not be read from here: be root or its user; if "
			"kernel.yama.ptrace_scope is not 0, only root may; in a container it takes "
			"CAP_SYS_PTRACE. Or let the program call stitch_report()", pid);
}

static int print(const struct proc_view *view, const char *name)
{
	struct report out;

	report_init(&out, to_stdout, NULL);
	proc_report_print(&out, view, name);
	report_finish(&out); /* an error of standard output stays */
	return end_of_output();
}

int report(const char *text, const char *name)
{
	static struct proc_view view;
	pid_t pid = text ? task_pid(text) : 0, tid;
	uint64_t root;
	int status;

	if (!pid)
		return complain("report of which process? `stitchmalloc report PID NAME`"),
		       REPORT_USAGE;
	if (!name)
		return list_names();
	if (!is_known(name))
		return complain("no report is called %s; `stitchmalloc report %d` lists them", name,
				pid), REPORT_USAGE;
	tid = task_living(pid);
	status = check_rights(pid, tid);
	if (status)
		return status;
	root = image_find(pid, tid, PROC_ROOT_SYMBOL, read_remote, &tid);
	if (!root)
		return complain("process %d does not run with libstitchmalloc.so, or with one that "
				"knows of no reports; start it with `stitchmalloc run`", pid);
	switch (proc_view_fill(&view, read_remote, &tid, root)) {
	case PROC_OK:
		return print(&view, name);
	case PROC_OTHER_VERSION:
		return complain("process %d runs with another version of the library than this "
				"program is of: use the stitchmalloc that lies beside it", pid);
	default:
		return complain("process %d: its memory cannot be read any more", pid);
	}
}
