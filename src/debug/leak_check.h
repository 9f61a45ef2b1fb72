/*
 * leak_check.h - one leak check, from stopping the threads to the last line of the report.
 *
 * L7. At the end of a process, by a thread that holds no lock of the program's or the loader's.
 */
#ifndef DEBUG_LEAK_CHECK_H
#define DEBUG_LEAK_CHECK_H

#include "core/report.h"
#include "debug/leak_report.h"

/*
 * At the start of the process, after params_init: what has to be there before the first allocation.
 * Without memory for it leaks=full becomes leaks=1, with a message.
 */
void leak_check_init(void);

/* Callee-saved registers and stack pointer of who calls, in whose caller's frames roots lie. */
struct leak_caller {
	uintptr_t registers[6];
	uintptr_t stack_pointer;
};

/*
 * Look for leaks. Returns whether there are any that are to be reported; *why: a reason, if it
 * could not be done, else NULL. leak_check_end must follow.
 */
bool leak_check(const struct leak_caller *caller, struct leak_header *header, const char **why);
void leak_check_end(void);

#endif
