/*
 * leak_log.h - where a leak report or a profile goes: standard error, a file, or one a format.
 *
 * L10. By the options log_path= and leak_format=. A single format goes to log_path=FILE as it
 * stands, or to standard error. Of several the text goes to FILE, and each of the others to a file
 * of its own beside it, FILE.json and so on; without log_path= there is but one place: the first.
 * Reports are added to what a file holds, but a profile is a file of its own and replaces it.
 */
#ifndef PRELOAD_LEAK_LOG_H
#define PRELOAD_LEAK_LOG_H

#include "debug/leak_report.h"

/* Write the report that is gathered, and complain if that cannot be. */
void leak_log_write(struct leak_header *header);

/* The profile of what was allocated so far (debug/alloc_profile.h), to profile_path=. */
void leak_log_write_profile(void);

/* The text alone, to a sink. Returns what that has returned. */
int leak_log_write_text(struct leak_header *header, report_sink *sink, void *context);

#endif
