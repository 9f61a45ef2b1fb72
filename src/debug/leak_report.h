/*
 * leak_report.h - what is lost, by who has allocated it: groups, totals, the text.
 *
 * L7. Under the conditions of heap_objects.h: leak_report_gather counts, leak_report_print sorts,
 * resolves symbols and prints. What is listed is up to the options (core/params.def, leak_*).
 */
#ifndef DEBUG_LEAK_REPORT_H
#define DEBUG_LEAK_REPORT_H

#include "core/report.h"
#include "debug/kmemleak.h"

/* Between kmemleak_finish and kmemleak_end. False: no memory. */
bool leak_report_gather(void);

/* Something is lost for certain, or perhaps if the options want that listed. */
bool leak_report_has_leaks(void);

/* Definitely and indirectly. */
size_t leak_report_lost_bytes(void);

/*
 * exe, command: for the header. nr_running: threads that went on during the scan. scan: which one
 * on demand; 0: it is the report at the end. since: only what is new since that scan is reported,
 * which was so many seconds before; 0: all is.
 */
struct leak_header {
	const char *exe, *command;
	int pid;
	unsigned int nr_threads, nr_running;
	unsigned int scan, since, seconds;
};

void leak_report_print(struct report *report, const struct leak_header *header);
void leak_report_release(void);

/* A kmemleak_known_fn: a rule says so of the object's stack (debug/suppress.h). */
bool leak_report_knows(const struct heap_object *object);

#endif
