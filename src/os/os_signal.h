/*
 * os_signal.h - the contract of signal handlers of ours.
 *
 * L1. As os.h: 0 or -errno. Not by libc's sigaction, which others interpose.
 */
#ifndef OS_OS_SIGNAL_H
#define OS_OS_SIGNAL_H

#include "base/compiler.h"

/* context: for os_signal_stack_in_use. */
typedef void os_signal_fn(int number, void *info, void *context);

/* The handler that the signal has; NULL: none, OS_SIGNAL_IGNORED: it is ignored. */
#define OS_SIGNAL_IGNORED ((os_signal_fn *)1)
int os_signal_handler(int number, os_signal_fn **handler);

/*
 * Handle the signal: with all signals blocked, on the thread's alternate stack if it has one; calls
 * that it interrupts are made again where the kernel does that.
 */
int os_signal_handle(int number, os_signal_fn *handler);

/*
 * From here on the stack of the thread that was interrupted has what is in use, its registers
 * included.
 */
uintptr_t os_signal_stack_in_use(const void *context);

/* The process gets the signal after so many microseconds, in place of what was asked for before. */
int os_signal_later(int number, uint32_t us);

#endif
