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

#endif
