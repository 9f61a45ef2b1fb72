/*
 * report.c - gathers text and hands it to the sink in pieces of up to a buffer.
 *
 * L2. Uses base/format; the sink for file descriptors enters the kernel through os/.
 */
#include <string.h>

#include "base/format.h"
#include "base/math.h"
#include "core/report.h"
#include "os/os.h"

void report_init(struct report *report, report_sink *sink, void *context)
{
	report->sink = sink;
	report->context = context;
	report->error = 0;
	report->nr_bytes = 0;
}

static void flush(struct report *report)
{
	if (report->nr_bytes && !report->error)
		report->error = report->sink(report->context, report->buffer, report->nr_bytes);
	report->nr_bytes = 0;
}

/* True when the text fitted behind what is there; else the buffer is as it was, but for junk. */
static bool append(struct report *report, const char *format, va_list args)
{
	size_t room = sizeof(report->buffer) - report->nr_bytes;
	size_t length = format_text_v(report->buffer + report->nr_bytes, room, format, args);

	if (length >= room && report->nr_bytes)
		return false;
	/* A single text longer than the buffer is cut. */
	report->nr_bytes += length < room ? length : room - 1;
	return true;
}

void report_printf(struct report *report, const char *format, ...)
{
	va_list args;
	bool fitted;

	va_start(args, format);
	fitted = append(report, format, args);
	va_end(args);
	if (fitted)
		return;
	flush(report);
	va_start(args, format);
	append(report, format, args);
	va_end(args);
}

void report_text(struct report *report, const char *text, size_t bytes)
{
	while (bytes) {
		size_t piece = min_size(bytes, sizeof(report->buffer) - report->nr_bytes);

		memcpy(report->buffer + report->nr_bytes, text, piece);
		report->nr_bytes += piece;
		text += piece;
		bytes -= piece;
		if (report->nr_bytes == sizeof(report->buffer))
			flush(report);
	}
}

int report_finish(struct report *report)
{
	flush(report);
	return report->error;
}

int report_to_fd(void *context, const char *text, size_t bytes)
{
	return os_write(*(const int *)context, text, bytes);
}
