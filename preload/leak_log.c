/* leak_log.c - see leak_log.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "leak_log.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/format.h"
#include "base/math.h"
#include "core/params.h"
#include "debug/private_map.h"
#include "entry.h"
#include "kept_stderr.h"
#include "os/os.h"
#include "os/os_proc.h"

#if !STITCH_PREFIX

#define PATH_BYTES 4096u
#define COMMAND_BYTES 512u
#define GATHER_BYTES KIB(64)

static const struct format {
	const struct leak_writer *writer;
	const char *name;
	const char *suffix;   /* of its file, if there are several formats */
	bool replaces;	      /* what the file has held: readers expect one document */
	bool is_in_one_piece; /* what others write meanwhile would spoil it */
} formats[NR_LEAK_FORMATS] = {
	[LEAK_TEXT] = { &leak_text_writer, "text", "", false, false },
	[LEAK_JSON] = { &leak_json_writer, "json", ".json", false, true },
	[LEAK_COLLAPSED] = { &leak_collapsed_writer, "collapsed", ".collapsed", false, true },
	[LEAK_HEAP_V2] = { &leak_heap_v2_writer, "heap_v2", ".heap", true, true },
	[LEAK_PPROF] = { &leak_pprof_writer, "pprof", ".pprof", true, true },
};

/* What one format is written to. */
struct log {
	const struct format *format;
	struct report report;
	int fd;
	/* Written when it is complete. */
	char *gathered; /* NULL: nothing yet, or no memory */
	size_t nr_bytes, room;
};

/* --- in one piece ----------------------------------------------------------------------------- */

static bool make_room(struct log *log, size_t bytes)
{
	size_t room = max_size(2 * log->room, GATHER_BYTES);
	char *bigger;

	if (log->nr_bytes + bytes <= log->room)
		return true;
	bigger = private_map(room);
	if (!bigger)
		return false;
	if (log->gathered)
		memcpy(bigger, log->gathered, log->nr_bytes);
	private_unmap(log->gathered);
	log->gathered = bigger;
	log->room = room;
	return true;
}

static int write_gathered(struct log *log)
{
	int error = log->nr_bytes ? os_write(log->fd, log->gathered, log->nr_bytes) : 0;

	log->nr_bytes = 0;
	return error;
}

/* A sink. Without memory it is several pieces. */
static int gather(void *context, const char *text, size_t bytes)
{
	struct log *log = context;
	int error;

	if (make_room(log, bytes)) {
		memcpy(log->gathered + log->nr_bytes, text, bytes);
		log->nr_bytes += bytes;
		return 0;
	}
	error = write_gathered(log);
	return error ? error : os_write(log->fd, text, bytes);
}

/* --- where ------------------------------------------------------------------------------------ */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void read_path(char *path)
{
	long length = os_read_executable(path, PATH_BYTES - 1);

	if (length <= 0) {
		strcpy(path, "?");
		return;
	}
	path[length] = 0;
}

/* Arguments are separated by zeros. */
static void read_command(char *command)
{
	long length = os_read_kernel_file("/proc/thread-self/cmdline", command, COMMAND_BYTES - 1);

	length = length > 0 ? length : 0;
	while (length && !command[length - 1])
		length--;
	for (long i = 0; i < length; i++)
		if ((unsigned char)command[i] < ' ')
			command[i] = ' ';
	command[length] = 0;
}

/* %p, %e and %h in the option's text. */
static void expand_log_path(char *path, const struct leak_header *header)
{
	struct utsname names;
	size_t at = 0;

	uname(&names);
	for (const char *from = params.log_path; *from && at < PATH_BYTES - 1; from++) {
		size_t room = PATH_BYTES - at;
		char letter = *from == '%' ? from[1] : 0;

		if (letter == 'p')
			at += format_text(path + at, room, "%d", header->pid);
		else if (letter == 'e')
			at += format_text(path + at, room, "%s", base_name(header->exe));
		else if (letter == 'h')
			at += format_text(path + at, room, "%s", names.nodename);
		else
			path[at++] = *from;
		from += letter == 'p' || letter == 'e' || letter == 'h' || letter == '%';
	}
	path[min_size(at, PATH_BYTES - 1)] = 0;
}

static bool are_several(void)
{
	return (params.leak_format & (params.leak_format - 1)) != 0;
}

/* The descriptor, or -1. What cannot go where it should goes to stderr, if nothing else does. */
static int open_log(const struct format *format, const struct leak_header *header, bool is_first)
{
	char path[PATH_BYTES];
	int fd;

	if (!params.log_path[0])
		return is_first ? kept_stderr() : -1;
	expand_log_path(path, header);
	if (are_several() && strlen(path) + strlen(format->suffix) < PATH_BYTES)
		strcat(path, format->suffix);
	fd = os_open_log(path, format->replaces);
	if (fd >= 0)
		return fd;
	complain("leak report: cannot write to log_path=%s: %s", path, reason_of(-fd));
	return is_first ? kept_stderr() : -1;
}

/* Returns how many there are. */
static unsigned int open_logs(struct log *logs, const struct leak_header *header)
{
	const struct format *first = NULL;
	unsigned int nr = 0;

	for (unsigned int i = 0; i < NR_LEAK_FORMATS; i++) {
		struct log *log = &logs[nr];

		if (!(params.leak_format & 1u << i))
			continue;
		*log = (struct log){ .format = &formats[i],
				     .fd = open_log(&formats[i], header, !first) };
		first = first ? first : &formats[i];
		if (log->fd < 0)
			continue;
		if (formats[i].is_in_one_piece)
			report_init(&log->report, gather, log);
		else
			report_init(&log->report, report_to_fd, &log->fd);
		nr++;
	}
	if (are_several() && !params.log_path[0])
		complain("leak report: of several formats only the first, %s, goes to standard "
			 "error; log_path=FILE takes all", first->name);
	return nr;
}

static void close_log(struct log *log)
{
	int error = report_finish(&log->report);

	if (!error)
		error = write_gathered(log);
	if (error)
		complain("leak report: not all could be written to %s: %s",
			 params.log_path[0] ? params.log_path : "standard error",
			 reason_of(-error));
	private_unmap(log->gathered);
	if (log->fd != kept_stderr())
		os_close(log->fd);
}

/* What of the header is not the check's. */
static void complete(struct leak_header *header)
{
	static char exe[PATH_BYTES], command[COMMAND_BYTES];

	read_path(exe);
	read_command(command);
	header->exe = exe;
	header->command = command;
}

int leak_log_write_text(struct leak_header *header, report_sink *sink, void *context)
{
	static struct report report;
	struct leak_output output = { &leak_text_writer, &report };

	complete(header);
	report_init(&report, sink, context);
	leak_report_write(header, &output, 1);
	return report_finish(&report);
}

void leak_log_write(struct leak_header *header)
{
	static struct log logs[NR_LEAK_FORMATS];
	struct leak_output outputs[NR_LEAK_FORMATS];
	unsigned int nr;

	complete(header);
	nr = open_logs(logs, header);
	for (unsigned int i = 0; i < nr; i++)
		outputs[i] = (struct leak_output){ logs[i].format->writer, &logs[i].report };
	if (nr)
		leak_report_write(header, outputs, nr);
	for (unsigned int i = 0; i < nr; i++)
		close_log(&logs[i]);
}
#endif
