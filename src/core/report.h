/*
 * report.h - a bounded text writer: one walker, several sinks.
 *
 * L2. A report is written once, by code that does not know whether it goes to a file descriptor,
 * a FILE or a buffer. Text is gathered in the struct (on the caller's stack) and handed to the
 * sink whenever it is full, and at report_finish. Never allocates.
 */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include "base/compiler.h"

/* Takes `bytes` bytes of text; 0 or -errno, after which the rest of the report is dropped. */
typedef int report_sink(void *context, const char *text, size_t bytes);

struct report {
	report_sink *sink;
	void *context;
	int error; /* first error of the sink, or 0 */
	size_t nr_bytes;
	char buffer[1024];
};

void report_init(struct report *report, report_sink *sink, void *context);
void report_printf(struct report *report, const char *format, ...) __printf_like(2, 3);
/* Text of any length as it is; report_printf cuts one that is longer than the buffer. */
void report_text(struct report *report, const char *text, size_t bytes);
/* Flush; returns the first error of the sink, or 0. */
int report_finish(struct report *report);

/* Sinks. context: the address of an int file descriptor. */
int report_to_fd(void *context, const char *text, size_t bytes);

#endif
