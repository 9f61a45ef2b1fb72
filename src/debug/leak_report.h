/*
 * leak_report.h - what is lost, by who has allocated it: groups and totals, and the walk over them.
 *
 * L7. Under the conditions of heap_objects.h: leak_report_gather counts, leak_report_write sorts,
 * resolves symbols and has it written by writers of formats (leak_writer.h). What is listed is up
 * to the options (core/params.def, leak_*).
 */
#ifndef DEBUG_LEAK_REPORT_H
#define DEBUG_LEAK_REPORT_H

#include "core/report.h"
#include "debug/kmemleak.h"
#include "debug/leak_groups.h"

/* Between kmemleak_finish and kmemleak_end. False: no memory. */
bool leak_report_gather(void);

/* Something is lost for certain, or perhaps if the options want that listed. */
bool leak_report_has_leaks(void);

/* Definitely and indirectly. */
size_t leak_report_lost_bytes(void);

/* One report, in as many formats as there are outputs. */
void leak_report_write(const struct leak_header *header, struct leak_output *outputs,
		       unsigned int nr_outputs);
void leak_report_release(void);

/* A kmemleak_known_fn: a rule says so of the object's stack (debug/suppress.h). */
bool leak_report_knows(const struct heap_object *object);

#endif
