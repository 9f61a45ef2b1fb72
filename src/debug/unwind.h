/*
 * unwind.h - the addresses of the calls that have led here.
 *
 * L7. By libgcc's unwinder, linked into the library: it reads .eh_frame, so that it sees through
 * code without frame pointers, finds it without a lock (_dl_find_object, glibc 2.35), and does not
 * allocate. Needs some 2 KiB of stack and 1.5 us for ten frames. Callable from signal handlers.
 */
#ifndef DEBUG_UNWIND_H
#define DEBUG_UNWIND_H

#include "base/compiler.h"

/*
 * Return addresses, innermost first, of at most `max` frames; where a signal has interrupted code,
 * the address there + 1. Of our own functions only that of the one that the program has called.
 * Returns how many.
 */
unsigned int unwind_stack(uintptr_t *pcs, unsigned int max);

/* libc is up: constructors run. In a static program there are no stacks before. */
void unwind_start(void);

/* Of a frame: registers that functions preserve (rbx, rbp, r12 to r15), and its stack pointer. */
struct unwind_caller {
	uintptr_t registers[6];
	uintptr_t stack_pointer;
};

/*
 * As they were in the frame that has called `function`, when that made its call: what the functions
 * in between have on the stack is left out. False: there is no such frame.
 */
bool unwind_to_caller(uintptr_t function, struct unwind_caller *caller);

#endif
