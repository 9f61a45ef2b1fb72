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

struct leak_check {
	struct unwind_caller caller; /* roots are what it and its callers have */
	/* Called if there is something to report. */
	void (*print)(struct leak_header *header);
	bool is_last; /* the process is about to end: other threads stand still from now on */
	/* Results. */
	bool has_leaks;  /* that the options want listed */
	const char *why; /* it could not be done; NULL: it was */
};

/*
 * Look for leaks, on a stack of its own, with all other threads parked. The caller has blocked all
 * signals: handlers may wait for a parked thread.
 */
void leak_check_run(struct leak_check *check);

#endif
