/*
 * unwind.h - the addresses of the calls that have led here.
 *
 * L7. By what .eh_frame tells (debug/orc.h): code without frame pointers is seen through. No
 * lock, no allocation, callable from signal handlers. Nothing is read that is not known to be
 * mapped: a stack that cannot be followed ends with a mark.
 *
 * Rules that a word cannot hold (hand-written assembly) leave the stack to libgcc's unwinder, which
 * is linked into the library: it finds .eh_frame without a lock, too (_dl_find_object, glibc 2.35),
 * needs some 2 KiB of stack and 1.5 us for ten frames.
 */
#ifndef DEBUG_UNWIND_H
#define DEBUG_UNWIND_H

#include "base/compiler.h"

/* In place of a last address: it is not known who has called the one before. */
#define UNWIND_NO_INFORMATION ((uintptr_t)1)

/* Before threads. False: no memory for the table; all stacks are libgcc's then. */
bool unwind_init(void);

/*
 * Return addresses, innermost first, of at most `max` frames; where a signal has interrupted code,
 * the address there + 1. Of our own functions only that of the one that the program has called.
 * Returns how many.
 */
unsigned int unwind_stack(uintptr_t *pcs, unsigned int max);

/*
 * Where the function starts that the address is in, by .eh_frame; 0: in none that it knows, or this
 * is a static program.
 */
uintptr_t unwind_function_of(uintptr_t pc);

/*
 * libc is up: constructors run. In a static program there are no stacks before. is_first: no
 * module has been loaded yet that may be unloaded.
 */
void unwind_start(bool is_first);

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
