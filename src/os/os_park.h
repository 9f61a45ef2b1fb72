/*
 * os_park.h - the contract of stopping the other threads of the process for a while.
 *
 * L1. By a signal that the program has no handler for, whose handler waits: no ptrace, so that it
 * works in a container and beside a debugger. A thread that blocks the signal goes on. Calls that a
 * thread is in may end with EINTR when it goes on (poll, nanosleep and others).
 */
#ifndef OS_OS_PARK_H
#define OS_OS_PARK_H

#include "base/compiler.h"

/* A thread that stands still, or is asleep in the kernel. */
struct os_parked {
	_Atomic int tid; /* 0: a record that is not whole */
	/* From here on its stack has what is in use, its registers included; 0: not known. */
	uintptr_t stack_pointer;
	uintptr_t thread_pointer; /* its TLS; 0: not known */
};

#define OS_MAX_PARKED 4096u

/*
 * Park all threads but the caller. Waits for so many milliseconds at most for those that do not
 * come, and not at all for those that block the signal. *nr_records: in os_parked. Returns how many
 * threads go on, or -errno if nobody knows. os_unpark must follow, or the end of the process. One
 * thread at a time, which must block all signals: their handlers may wait for a parked thread.
 */
int os_park(unsigned int max_ms, unsigned int *nr_records);
void os_unpark(void);

extern struct os_parked os_parked[OS_MAX_PARKED];

#endif
