/*
 * tracee.h - threads of another process, stopped by ptrace, and system calls made in them.
 *
 * A thread that has been made to make a system call is put back as it was by tracee_release: what
 * it was interrupted in goes on, and no signal is lost. Functions return 0 or -errno.
 */
#ifndef TOOLS_TRACEE_H
#define TOOLS_TRACEE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

struct tracee {
	pid_t tid;
	bool is_stopped;
	bool has_worked; /* its registers and signal mask are not its own */
	int signal;	 /* that it has not been given yet; 0: none */
	uint64_t mask;
	struct user_regs_struct registers;
	struct user_fpregs_struct vectors;
};

/* Attach, and ask it to stop. */
int tracee_seize(struct tracee *tracee, pid_t tid);
/* Wait for that. -ETIMEDOUT: it is asleep where nothing wakes it. */
int tracee_stop(struct tracee *tracee, int64_t until_ms);
int64_t now_ms(void);

struct tracee_call {
	uint64_t instruction; /* address of one that enters the kernel */
	long number;
	uint64_t arguments[6];
	long result;
	pid_t child; /* that it has made, attached like the caller; 0: none */
};

/* Of a thread that is stopped. */
int tracee_make_call(struct tracee *tracee, struct tracee_call *call);

/* Let it go on as if nothing had been. */
void tracee_release(struct tracee *tracee);

#endif
