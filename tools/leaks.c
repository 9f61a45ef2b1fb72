/*
 * leaks.c - `stitchmalloc leaks PID`: the leak report of a process that runs with the library, and
 * needs no preparation.
 *
 * The process's threads are stopped (ptrace), one of them is made to copy the process by clone, and
 * all go on. In the copy the library looks for leaks (preload/remote.h). The copy has no use for
 * the process's descriptors and closes them; its text is read from its memory before it ends.
 * It is a child of the process that no wait() of it tells of; that it is not left as a zombie one
 * of its threads is stopped once more, and waits for it.
 *
 * Nothing of the process's own files is executed here: the library's table is found by reading its
 * memory.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "complain.h"
#include "image.h"
#include "leaks.h"
#include "remote.h"
#include "task.h"
#include "tracee.h"

#define MAX_THREADS 4097u
#define STOP_MS 1000
#define MAX_ATTEMPTS 100u
#define NAP_US 5000u
#define POLL_US 5000u
#define ASLEEP_POLLS 100u
#define MAX_BURIALS 20u
#define BURIAL_STOP_MS 100 /* it takes one thread */
#define ATTEMPTS_MS 10000
#define RED_ZONE_BYTES 128u
#define TEXT_BYTES ((uint64_t)64 << 20)
#define STACK_BYTES ((uint64_t)64 << 10)

enum { EXIT_USAGE = 2 };

/* Linux 4.3. */
#ifndef PTRACE_O_SUSPEND_SECCOMP
#define PTRACE_O_SUSPEND_SECCOMP (1 << 21)
#endif

static struct target {
	pid_t pid;
	long options; /* of ptrace, for a thread that is to make calls, and for the copy */
	int memory; /* /proc/PID/mem */
	struct stitch_remote remote;
	struct tracee threads[MAX_THREADS];
	size_t nr_threads;
} target;

static int complain_of_rights(int error)
{
	long tracer = task_number(target.pid, "TracerPid");

	if (error != EPERM && error != EACCES)
		return complain("process %d: %s", target.pid, strerror(error));
	if (tracer && tracer != getpid())
		return complain("process %d is traced by process %ld already, as by a debugger: a "
				"process can have one tracer", target.pid, tracer);
	return complain("process %d may not be traced from here: be root or its user; if "
			"kernel.yama.ptrace_scope is not 0, only root may; in a container it takes "
			"CAP_SYS_PTRACE. Or start the program with leak_signal=USR2",
			target.pid);
}

/* --- the library's table ---------------------------------------------------------------------- */

static bool peek(uint64_t address, void *to, size_t bytes)
{
	return pread(target.memory, to, bytes, (off_t)address) == (ssize_t)bytes;
}

static bool peek_for_image(void *context, uint64_t address, void *to, size_t bytes)
{
	(void)context;
	return peek(address, to, bytes);
}

static bool find_table(pid_t tid)
{
	uint64_t table = image_find(target.pid, tid, STITCH_REMOTE_SYMBOL, peek_for_image, NULL);

	return table && peek(table, &target.remote, sizeof(target.remote));
}

static int open_target(const char *pid)
{
	char path[64];
	pid_t tid;

	target.pid = task_pid(pid);
	if (!target.pid)
		return complain("leaks of which process? %s is no process's number", pid),
		       EXIT_USAGE;
	tid = task_living(target.pid);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/mem", target.pid, tid);
	target.memory = open(path, O_RDWR | O_CLOEXEC);
	if (!tid || (target.memory < 0 && errno == ENOENT))
		return complain("there is no process %d", target.pid);
	if (target.memory < 0)
		return complain_of_rights(errno);
	if (!find_table(tid))
		return complain("process %d does not run with libstitchmalloc.so, or with one "
				"that knows of no scans from outside", target.pid);
	if (target.remote.version != STITCH_REMOTE_VERSION)
		return complain("process %d runs with another version of the library than this "
				"program is of", target.pid);
	return 0;
}

/* --- threads ---------------------------------------------------------------------------------- */

static bool is_known(pid_t tid)
{
	for (size_t i = 0; i < target.nr_threads; i++)
		if (target.threads[i].tid == tid)
			return true;
	return false;
}

/* Threads that are listed and not known yet. How many, or -errno. */
static int seize_others(void)
{
	struct dirent *entry;
	char path[64];
	DIR *folder;
	int nr = 0, error = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", target.pid);
	folder = opendir(path);
	while (folder && (entry = readdir(folder)) && target.nr_threads < MAX_THREADS) {
		pid_t tid = atoi(entry->d_name);

		if (!tid || is_known(tid))
			continue;
		error = tracee_seize(&target.threads[target.nr_threads], tid);
		if (error && task_has_ended(tid))
			error = -ESRCH;
		if (error && error != -ESRCH)
			break;
		target.nr_threads += !error;
		nr += !error;
	}
	if (folder)
		closedir(folder);
	return error && error != -ESRCH ? error : nr;
}

/* Threads may make others until they stand still. Some may be asked to already. */
static int stop_all(int64_t ms)
{
	int64_t until = now_ms() + ms;
	size_t done = 0;
	int nr;

	do {
		nr = seize_others();
		for (; done < target.nr_threads; done++)
			tracee_stop(&target.threads[done], until);
	} while (nr > 0);
	return nr;
}

/* But for those that have not stopped yet (vfork, a frozen cgroup): they cannot be let go. */
static void release_all(void)
{
	size_t nr_late = 0;

	for (size_t i = 0; i < target.nr_threads; i++) {
		struct tracee *thread = &target.threads[i];

		if (!thread->is_stopped && tracee_stop(thread, 0) == -ETIMEDOUT)
			target.threads[nr_late++] = *thread;
		else
			tracee_release(thread);
	}
	target.nr_threads = nr_late;
}

static bool is_ignored(int number)
{
	struct sigaction action;

	return !sigaction(number, NULL, &action) && action.sa_handler == SIG_IGN;
}

/*
 * Whoever ends this program while threads are not themselves would damage the process. What is
 * ignored (nohup) does not, and would be waiting if it were blocked.
 */
static void hold_signals(int how)
{
	static const int numbers[] = { SIGHUP, SIGPIPE, SIGINT, SIGQUIT, SIGTERM, SIGTSTP };
	sigset_t ending;

	sigemptyset(&ending);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (!is_ignored(numbers[i]))
			sigaddset(&ending, numbers[i]);
	sigprocmask(how, &ending, NULL);
}

/* One of these is waiting. */
static bool is_to_end(void)
{
	sigset_t waiting;

	sigpending(&waiting);
	return sigismember(&waiting, SIGHUP) > 0 || sigismember(&waiting, SIGINT) > 0 ||
	       sigismember(&waiting, SIGQUIT) > 0 || sigismember(&waiting, SIGTERM) > 0;
}

/* Linux 5.13; ptrace(2). */
#ifndef PTRACE_GET_RSEQ_CONFIGURATION
#define PTRACE_GET_RSEQ_CONFIGURATION 0x420f
#endif
struct rseq_place {
	uint64_t address; /* of the thread's struct rseq, whose second word is that of a section */
	uint32_t size, signature, flags, pad;
};

/* linux/rseq.h */
struct rseq_section {
	uint32_t version, flags;
	uint64_t start, length, abort;
};

static bool peek_of(pid_t tid, uint64_t address, void *to, size_t bytes)
{
	struct iovec local = { to, bytes }, remote = { (void *)address, bytes }; // NOLINT

	return process_vm_readv(tid, &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

/*
 * A section that begins anew when its thread is interrupted. The kernel looks where the thread is
 * when it goes on, which is not there if it has been made to do something else: it would not begin
 * anew.
 */
static bool is_in_section(const struct tracee *thread)
{
	struct rseq_section section;
	struct rseq_place place;
	uint64_t pointer;

	return ptrace(PTRACE_GET_RSEQ_CONFIGURATION, thread->tid, sizeof(place), &place) > 0 &&
	       peek_of(thread->tid, place.address + 8, &pointer, sizeof(pointer)) && pointer &&
	       peek_of(thread->tid, pointer, &section, sizeof(section)) &&
	       thread->registers.rip - section.start < section.length;
}

/* One that stands still and is neither about to get a signal nor in a section; to the front. */
static bool choose_thread(void)
{
	for (size_t i = 0; i < target.nr_threads; i++) {
		struct tracee chosen = target.threads[i];

		if (!chosen.is_stopped || chosen.signal || is_in_section(&chosen))
			continue;
		target.threads[i] = target.threads[0];
		target.threads[0] = chosen;
		return true;
	}
	return false;
}

/* --- the copy --------------------------------------------------------------------------------- */

/*
 * A seccomp filter may kill a thread for the calls that it is made to make. It is put off where
 * that is allowed; else it must be one that this program runs under as well, as in a container.
 * False: it is another.
 */
static bool put_off_filters(const struct tracee *thread)
{
	target.options = PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP;
	if (!ptrace(PTRACE_SETOPTIONS, thread->tid, 0, target.options))
		return true;
	target.options = PTRACE_O_TRACESYSGOOD;
	return task_number(thread->tid, "Seccomp") != SECCOMP_MODE_STRICT &&
	       task_number(thread->tid, "Seccomp_filters") <=
		       task_number(getpid(), "Seccomp_filters");
}

/*
 * number: of the copy where the process lives. 0, -errno, or STITCH_REMOTE_FILTERED; -EUSERS: there
 * may be no more processes.
 */
static int copy_process(pid_t *copy, long *number)
{
	struct tracee *thread = &target.threads[0];
	struct tracee_call call = { .instruction = (uint64_t)target.remote.syscall,
				    .number = SYS_clone };
	int error;

	if (!put_off_filters(thread))
		return STITCH_REMOTE_FILTERED;
	if (ptrace(PTRACE_SETOPTIONS, thread->tid, 0, target.options | PTRACE_O_TRACECLONE))
		return -errno;
	error = tracee_make_call(thread, &call);
	*copy = call.child;
	*number = call.result;
	if (!error && call.result == -EAGAIN)
		return -EUSERS;
	return error ? error : call.result < 0 ? (int)call.result : call.child ? 0 : -ECHILD;
}

static void fill_thread(struct stitch_remote_thread *to, const struct tracee *from)
{
	to->tid = from->tid;
	to->stack_pointer = from->registers.rsp - RED_ZONE_BYTES;
	to->thread_pointer = from->registers.fs_base;
	memcpy(to->registers, &from->registers, sizeof(from->registers));
	memcpy((char *)to->registers + sizeof(from->registers), &from->vectors,
	       sizeof(from->vectors));
}

static struct stitch_remote_job *make_job(size_t *bytes)
{
	struct stitch_remote_job *job = calloc(1, sizeof(*job) + target.nr_threads *
							 sizeof(job->threads[0]));

	if (!job)
		return NULL;
	job->pid = target.pid;
	for (size_t i = 0; i < target.nr_threads; i++) {
		if (target.threads[i].is_stopped)
			fill_thread(&job->threads[job->nr_threads++], &target.threads[i]);
		else
			job->nr_running++;
	}
	*bytes = sizeof(*job) + job->nr_threads * sizeof(job->threads[0]);
	job->text_size = TEXT_BYTES;
	job->bytes = (*bytes + TEXT_BYTES + STACK_BYTES + 4095) & ~(uint64_t)4095;
	return job;
}

/* Map it in the copy; its address or -errno. */
static long place_job(struct tracee *copy, struct stitch_remote_job *job, size_t bytes)
{
	struct tracee_call map = {
		.instruction = (uint64_t)target.remote.syscall,
		.number = SYS_mmap,
		.arguments = { 0, job->bytes, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, ~0ul, 0 },
	};
	char path[64];
	int memory;

	if (tracee_make_call(copy, &map) || map.result < 0)
		return map.result;
	job->text = (uint64_t)map.result + bytes;
	snprintf(path, sizeof(path), "/proc/%d/mem", copy->tid);
	memory = open(path, O_RDWR | O_CLOEXEC);
	if (memory < 0 || pwrite(memory, job, bytes, map.result) != (ssize_t)bytes)
		return -EIO;
	close(target.memory);
	target.memory = memory; /* the copy's from now on */
	return map.result;
}

/*
 * Until the copy stops. It waits for nothing but locks of threads that it does not have: when it
 * has slept for long, that is what it does. -EAGAIN: so it is; -EINTR: this program is to end.
 */
static int wait_for_copy(pid_t copy)
{
	unsigned int nr_asleep = 0;
	int status, ret;

	while (!(ret = waitpid(copy, &status, __WALL | WNOHANG))) {
		char line[128], *state = task_status(copy, "State", line, sizeof(line));

		nr_asleep = state && *state == 'S' ? nr_asleep + 1 : 0;
		if (is_to_end())
			return -EINTR;
		if (nr_asleep > ASLEEP_POLLS)
			return -EAGAIN;
		release_all();
		usleep(POLL_US);
	}
	if (ret < 0)
		return -errno;
	/* Its signals are blocked: any other stop than at its exit is for a fault. */
	return WIFSTOPPED(status) ? 0 : -ESRCH;
}

/* As if the entry had been called. */
static int run_job(const struct tracee *copy, uint64_t job, uint64_t bytes)
{
	struct user_regs_struct registers = copy->registers;

	registers.rip = (uint64_t)target.remote.entry;
	registers.rdi = job;
	registers.rsp = job + bytes - 8;
	registers.orig_rax = ~0ul;
	if (ptrace(PTRACE_SETREGS, copy->tid, 0, &registers))
		return -errno;
	if (ptrace(PTRACE_CONT, copy->tid, 0, 0))
		return -errno;
	return wait_for_copy(copy->tid);
}

/* What it has written; NULL, said why: it cannot be had. */
static char *read_text(const struct stitch_remote_job *job)
{
	char *text = malloc(job->text_bytes + 1);

	if (text && peek(job->text, text, job->text_bytes))
		return text;
	if (text)
		complain("process %d: the copy that looked is gone", target.pid);
	else
		complain("out of memory for the report");
	free(text);
	return NULL;
}

static bool write_report(const struct stitch_remote_job *job, const char *text)
{
	if (fwrite(text, 1, job->text_bytes, stdout) != job->text_bytes || fflush(stdout)) {
		complain("the report cannot be written: %s", strerror(errno));
		return false;
	}
	if (job->text_bytes == job->text_size)
		complain("the report is cut off: it is longer than %u MiB",
			 (unsigned int)(TEXT_BYTES >> 20));
	return true;
}

/* When the process is as it was: whoever reads this may take their time. The state, as before. */
static int tell(const struct stitch_remote_job *job, int state, const char *text)
{
	if (text && state == STITCH_REMOTE_DONE && !write_report(job, text))
		return STITCH_REMOTE_FAILED; /* said */
	if (text && state == STITCH_REMOTE_FAILED)
		fprintf(stderr, "stitchmalloc: process %d: no leak report: %.*s\n", target.pid,
			(int)job->text_bytes, text);
	return state;
}

/* The state it has ended in, or -errno. *text: what it has to say, if it has. */
static int look(struct tracee *copy, struct stitch_remote_job *job, size_t bytes, char **text)
{
	long address;
	int error = tracee_stop(copy, now_ms() + STOP_MS);

	if (!error && ptrace(PTRACE_SETOPTIONS, copy->tid, 0,
			     target.options | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL))
		error = -errno;
	if (error)
		return error;
	address = place_job(copy, job, bytes);
	if (address < 0)
		return (int)address;
	error = run_job(copy, (uint64_t)address, job->bytes);
	if (error || !peek((uint64_t)address, job, sizeof(*job)))
		return error ? error : -EIO;
	if (job->state == STITCH_REMOTE_DONE || job->state == STITCH_REMOTE_FAILED) {
		*text = read_text(job);
		return *text ? (int)job->state : STITCH_REMOTE_FAILED; /* said */
	}
	return (int)job->state;
}

/* Once more into the process, that it is not left with a zombie. */
static void bury_copy(pid_t copy, long number)
{
	struct tracee_call wait = {
		.instruction = (uint64_t)target.remote.syscall,
		.number = SYS_wait4,
		.arguments = { (uint64_t)number, 0, WNOHANG | __WALL, 0 },
	};
	bool is_buried = false;
	int status;

	/* One that stands at its exit does not notice a signal. */
	kill(copy, SIGKILL);
	ptrace(PTRACE_CONT, copy, 0, 0);
	while (waitpid(copy, &status, __WALL) == copy && WIFSTOPPED(status))
		ptrace(PTRACE_CONT, copy, 0, 0);
	for (unsigned int i = 0; i < MAX_BURIALS && !is_buried; i++) {
		if (i)
			usleep(NAP_US);
		is_buried = stop_all(BURIAL_STOP_MS) < 0 || !target.nr_threads ||
			    (choose_thread() && put_off_filters(&target.threads[0]) &&
			     tracee_make_call(&target.threads[0], &wait) != -EAGAIN);
		release_all();
	}
}

/* --- all of it -------------------------------------------------------------------------------- */

/* The state it has ended in, or -errno. */
static int attempt(void)
{
	struct stitch_remote_job *job = NULL;
	struct tracee copy = { 0 };
	char *text = NULL;
	size_t bytes = 0;
	long number = 0;
	int ret;

	hold_signals(SIG_BLOCK);
	ret = stop_all(STOP_MS);
	if (!ret && !target.nr_threads)
		ret = -ESRCH;
	if (!ret && !choose_thread())
		ret = -EAGAIN;
	if (!ret)
		job = make_job(&bytes);
	if (!ret)
		ret = job ? copy_process(&copy.tid, &number) : -ENOMEM;
	release_all();
	if (copy.tid) {
		ret = ret ? ret : look(&copy, job, bytes, &text);
		bury_copy(copy.tid, number);
	}
	hold_signals(SIG_UNBLOCK);
	ret = tell(job, ret, text);
	free(text);
	free(job);
	return ret;
}

static int conclude(int state)
{
	switch (state) {
	case STITCH_REMOTE_DONE:
		return EXIT_SUCCESS;
	case STITCH_REMOTE_BEGUN:
		return complain("the copy of process %d that looked has crashed", target.pid);
	case STITCH_REMOTE_FAILED:
		return EXIT_IMPOSSIBLE; /* it has said why */
	case STITCH_REMOTE_FILTERED:
		return complain("process %d runs under a seccomp filter, which may kill it for "
				"being looked at; start it with leak_signal=USR2 for that",
				target.pid);
	case -EFAULT:
		return complain("process %d has started another program meanwhile: try again",
				target.pid);
	case -EUSERS:
		return complain("process %d may have no copy: there are as many processes as its "
				"user (ulimit -u) or its cgroup (pids.max) may have", target.pid);
	case STITCH_REMOTE_BUSY:
	case -EAGAIN:
		return complain("process %d is never out of malloc, free and the loader: try again",
				target.pid);
	default:
		return complain_of_rights(-state);
	}
}

int leaks(const char *pid)
{
	int status, state = -EAGAIN;
	int64_t until = now_ms() + ATTEMPTS_MS;

	if (!pid)
		return complain("leaks of which process?"), EXIT_USAGE;
	status = open_target(pid);
	if (status)
		return status;
	signal(SIGPIPE, SIG_IGN);
	for (unsigned int i = 0; i < MAX_ATTEMPTS && now_ms() < until; i++) {
		state = attempt();
		if (state != STITCH_REMOTE_BUSY && state != -EAGAIN)
			break;
		usleep(NAP_US);
	}
	return conclude(state);
}
