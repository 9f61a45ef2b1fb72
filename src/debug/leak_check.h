/*
 * leak_check.h - one leak check, from stopping the threads to the last line of the report.
 *
 * L7. By a thread that holds no lock of the allocator's: at the end of a process, or when asked.
 */
#ifndef DEBUG_LEAK_CHECK_H
#define DEBUG_LEAK_CHECK_H

#include "core/report.h"
#include "debug/leak_report.h"
#include "debug/unwind.h"

/*
 * At the start of the process, after params_init: what has to be there before the first allocation.
 * Without memory for it leaks=full becomes leaks=1, with a message.
 */
void leak_check_init(void);

/* Threads that stand still. */
struct leak_stopped {
	int self;		 /* the one that looks; a copy of the process has another number */
	unsigned int nr_records; /* of the others, in os_parked (os/os_park.h) */
	uintptr_t registers, registers_end; /* more roots; 0: those are on the stacks */
	bool still; /* all of them, or this is a copy of the process */
};

struct leak_check {
	struct unwind_caller caller; /* roots are what it and its callers have */
	/* Called by who looks, before, and if there is something to report. NULL: not. */
	void (*prepare)(struct leak_check *check);
	void (*print)(struct leak_header *header);
	bool prints_always; /* also if there is nothing */
	bool is_last;	    /* the process is about to end: other threads stand still from now on */
	bool is_on_demand;  /* the next one may ask what is new since */
	struct leak_header header; /* what of it is not of the check itself */
	/*
	 * Not NULL: look in a copy of the process (os/os_copy.h), which calls it last and ends; the
	 * process goes on at once. Where no copy can be had it is looked in the process after all.
	 */
	void (*end_copy)(struct leak_check *check);
	/*
	 * Not NULL: the process is a copy already, in which there are no other threads, and the
	 * header says how many there were. The loader's lock may be anybody's.
	 */
	const struct leak_stopped *stopped;
	/* Results. */
	int copy;	 /* its process id; 0: there is none. If there is one it has the rest */
	bool has_leaks;	 /* that the options want listed */
	size_t lost_bytes; /* definitely and indirectly, as far as they are reported */
	const char *why; /* it could not be done; NULL: it was */
};

/* The caller is what the calling function has; it must not return before the check is over. */
static __inline_always void leak_check_note_caller(struct leak_check *check)
{
	__asm__ volatile("mov %%rbx, 0(%0)\n\tmov %%rbp, 8(%0)\n\tmov %%r12, 16(%0)\n\t"
			 "mov %%r13, 24(%0)\n\tmov %%r14, 32(%0)\n\tmov %%r15, 40(%0)"
			 :
			 : "r"(check->caller.registers)
			 : "memory");
	check->caller.stack_pointer = (uintptr_t)__builtin_frame_address(0);
}

/* fn(argument) on a stack of its own: threads' may be small. False: no memory for one. */
bool leak_run_on_own_stack(void (*fn)(void *), void *argument);

/*
 * This process is of the program that exe= names, or that is empty. One whose name cannot be found
 * out is none that was meant.
 */
bool leak_check_means_program(void);

/*
 * Look for leaks, on a stack of its own, with all other threads parked. The caller has blocked all
 * signals: handlers may wait for a parked thread.
 */
void leak_check_run(struct leak_check *check);

#endif
