/* tracee.c - see tracee.h. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "tracee.h"

#define POLL_NS 200000

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int tracee_seize(struct tracee *tracee, pid_t tid)
{
	*tracee = (struct tracee){ .tid = tid };
	if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD) ||
	    ptrace(PTRACE_INTERRUPT, tid, 0, 0))
		return -errno;
	return 0;
}

/* It may have been about to get a signal, which it gets when it is released. */
static int note_stop(struct tracee *tracee, int status)
{
	struct iovec vectors = { &tracee->vectors, sizeof(tracee->vectors) };

	if (!WIFSTOPPED(status))
		return -ESRCH;
	tracee->is_stopped = true;
	tracee->signal = status >> 16 ? 0 : WSTOPSIG(status);
	if (ptrace(PTRACE_GETREGS, tracee->tid, 0, &tracee->registers) ||
	    ptrace(PTRACE_GETSIGMASK, tracee->tid, sizeof(tracee->mask), &tracee->mask) ||
	    ptrace(PTRACE_GETREGSET, tracee->tid, NT_PRFPREG, &vectors))
		return -errno;
	return 0;
}

int tracee_stop(struct tracee *tracee, int64_t until_ms)
{
	int status;
	pid_t ret;

	while (!(ret = waitpid(tracee->tid, &status, __WALL | WNOHANG))) {
		if (now_ms() > until_ms)
			return -ETIMEDOUT;
		nanosleep(&(struct timespec){ 0, POLL_NS }, NULL);
	}
	return ret < 0 ? -errno : note_stop(tracee, status);
}

/* --- calls ------------------------------------------------------------------------------------ */

/* Only SIGKILL can come in between now. */
static int begin_work(struct tracee *tracee)
{
	uint64_t all = ~(uint64_t)0;

	if (tracee->has_worked)
		return 0;
	if (ptrace(PTRACE_SETSIGMASK, tracee->tid, sizeof(all), &all))
		return -errno;
	tracee->has_worked = true;
	return 0;
}

/* On to the next stop. */
static int run(struct tracee *tracee, enum __ptrace_request how, int *status)
{
	if (ptrace(how, tracee->tid, 0, 0) || waitpid(tracee->tid, status, __WALL) < 0)
		return -errno;
	return WIFSTOPPED(*status) ? 0 : -ESRCH;
}

static bool is_call_stop(int status)
{
	return WSTOPSIG(status) == (SIGTRAP | 0x80);
}

static bool is_new_child(int status)
{
	return status >> 8 == (SIGTRAP | PTRACE_EVENT_CLONE << 8);
}

/* Until the system call begins or ends; on the way it may make a child. -EFAULT: it is none. */
static int run_to_call_stop(struct tracee *tracee, struct tracee_call *call)
{
	unsigned long child = 0;
	int status, error;

	do {
		error = run(tracee, PTRACE_SYSCALL, &status);
		if (error || is_call_stop(status) || status >> 16 == PTRACE_EVENT_STOP)
			continue;
		if (!is_new_child(status))
			error = -EFAULT; /* another image is there: it has called execve */
		else if (!ptrace(PTRACE_GETEVENTMSG, tracee->tid, 0, &child))
			call->child = (pid_t)child;
	} while (!error && !is_call_stop(status));
	return error;
}

/* syscall; ud2. It is not there any more after an execve. */
#define INSTRUCTION 0x0b0f050fu

static bool instruction_is_there(const struct tracee *tracee, uint64_t address)
{
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, tracee->tid, address, 0);
	return !errno && (uint32_t)word == INSTRUCTION;
}

int tracee_make_call(struct tracee *tracee, struct tracee_call *call)
{
	struct user_regs_struct registers = tracee->registers;
	int error = instruction_is_there(tracee, call->instruction) ? begin_work(tracee) : -EFAULT;

	registers.rip = call->instruction;
	registers.rax = (unsigned long)call->number;
	registers.orig_rax = ~0ul; /* no call that was interrupted is made again now */
	registers.rdi = call->arguments[0];
	registers.rsi = call->arguments[1];
	registers.rdx = call->arguments[2];
	registers.r10 = call->arguments[3];
	registers.r8 = call->arguments[4];
	registers.r9 = call->arguments[5];
	if (!error && ptrace(PTRACE_SETREGS, tracee->tid, 0, &registers))
		error = -errno;
	if (!error)
		error = run_to_call_stop(tracee, call);
	if (!error)
		error = run_to_call_stop(tracee, call);
	if (!error && ptrace(PTRACE_GETREGS, tracee->tid, 0, &registers))
		error = -errno;
	call->result = error ? error : (long)registers.rax;
	return error;
}

/*
 * The kernel makes an interrupted call again only on its way from a stop like the one in which the
 * thread was found: there it gets its registers back.
 */
static void undo_work(struct tracee *tracee)
{
	int status;

	if (ptrace(PTRACE_INTERRUPT, tracee->tid, 0, 0))
		return;
	do
		if (run(tracee, PTRACE_CONT, &status))
			return;
	while (status >> 16 != PTRACE_EVENT_STOP);
	ptrace(PTRACE_SETREGS, tracee->tid, 0, &tracee->registers);
	ptrace(PTRACE_SETSIGMASK, tracee->tid, sizeof(tracee->mask), &tracee->mask);
}

/* One that has not stopped yet does so before it can be let go, should it ever. */
void tracee_release(struct tracee *tracee)
{
	if (tracee->has_worked)
		undo_work(tracee);
	ptrace(PTRACE_DETACH, tracee->tid, 0, tracee->signal);
}
