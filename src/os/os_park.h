/*
 * os_park.h - the contract of stopping the other threads of the process for a while.
 *
 * L1. By a signal that the program has no handler for, whose handler waits: no ptrace, so that it works
 * in a container and beside a debugger. A thread that blocks all signals goes on.
 */
#ifndef OS_OS_PARK_H
#define OS_OS_PARK_H

#include "base/compiler.h"

#define OS_NR_REGISTERS 16u

/* A thread that waits: all that only it knows of. */
struct os_parked {
	int tid;
	uintptr_t stack_pointer;  /* of what it was interrupted in */
	uintptr_t thread_pointer; /* its TLS */
	uintptr_t registers[OS_NR_REGISTERS];
};

#define OS_MAX_PARKED 4096u

/*
 * Park all threads but the caller. Waits for so many milliseconds at most for those that do not
 * come. *nr_parked: records in os_parked. Returns how many threads go on, or -errno if nobody
 * knows. os_unpark must follow. One thread at a time; the caller must hold no lock that a signal
 * handler of the program may want.
 */
int os_park(unsigned int max_ms, unsigned int *nr_parked);
void os_unpark(void);

extern struct os_parked os_parked[OS_MAX_PARKED];

#endif
