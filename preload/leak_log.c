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
#include "debug/alloc_profile.h"
#include "debug/private_map.h"
#include "entry.h"
#include "kept_stderr.h"
#include "os/os.h"
#include "os/os_proc.h"

#if !STITCH_PREFIX

#define PATH_BYTES 4096u
#define COMMAND_BYTES 512u
#define GATHER_BYTES KIB(64)

enum log_subject { LOG_LEAKS, LOG_PROFILE, NR_LOG_SUBJECTS };

static const struct subject {
	const char *name, *option, *path;
} subjects[NR_LOG_SUBJECTS] = {
	[LOG_LEAKS] = { "leak report", "log_path", params.log_path },
	[LOG_PROFILE] = { "allocation profile", "profile_path", params.profile_path },
};

static const struct format {
	const struct leak_writer *writers[NR_LOG_SUBJECTS];
	const char *name;
	const char *suffix;   /* of its file, if there are several formats */
	bool replaces;	      /* what the file has held: readers expect one document */
	bool is_in_one_piece; /* what others write meanwhile would spoil it, on stderr too */
} formats[NR_LEAK_FORMATS] = {
	[LEAK_TEXT] = { { &leak_text_writer, &profile_text_writer }, "text", "", false, false },
	[LEAK_JSON] = { { &leak_json_writer, &profile_json_writer }, "json", ".json", false, true },
	[LEAK_COLLAPSED] = { { &leak_collapsed_writer, &leak_collapsed_writer }, "collapsed",
			     ".collapsed", false, true },
	[LEAK_HEAP_V2] = { { &leak_heap_v2_writer, &leak_heap_v2_writer }, "heap_v2", ".heap", true,
			   true },
	[LEAK_PPROF] = { { &leak_pprof_writer, &leak_pprof_writer }, "pprof", ".pprof", true,
			 true },
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
static void expand_log_path(char *path, const char *from, const struct leak_header *header)
{
	struct utsname names;
	size_t at = 0;

	uname(&names);
	for (; *from && at < PATH_BYTES - 1; from++) {
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
static int open_log(const struct subject *subject, const struct format *format,
		    const struct leak_header *header, bool is_first)
{
	char path[PATH_BYTES];
	int fd;

	if (!subject->path[0])
		return is_first ? kept_stderr() : -1;
	expand_log_path(path, subject->path, header);
	if (are_several() && strlen(path) + strlen(format->suffix) < PATH_BYTES)
		strcat(path, format->suffix);
	fd = os_open_log(path, format->replaces);
	if (fd >= 0)
		return fd;
	complain("%s: cannot write to %s=%s: %s", subject->name, subject->option, path,
		 reason_of(-fd));
	return is_first ? kept_stderr() : -1;
}

/* Returns how many there are. */
static unsigned int open_logs(const struct subject *subject, struct log *logs,
			      const struct leak_header *header)
{
	const struct format *first = NULL;
	unsigned int nr = 0;

	for (unsigned int i = 0; i < NR_LEAK_FORMATS; i++) {
		struct log *log = &logs[nr];

		if (!(params.leak_format & 1u << i))
			continue;
		*log = (struct log){ .format = &formats[i],
				     .fd = open_log(subject, &formats[i], header, !first) };
		first = first ? first : &formats[i];
		if (log->fd < 0)
			continue;
		/* Programs that end at the same time may have a file in common: of a make -j. */
		if (formats[i].is_in_one_piece || subject->path[0])
			report_init(&log->report, gather, log);
		else
			report_init(&log->report, report_to_fd, &log->fd);
		nr++;
	}
	if (are_several() && !subject->path[0])
		complain("%s: of several formats only the first, %s, goes to standard error; "
			 "%s=FILE takes all", subject->name, first->name, subject->option);
	return nr;
}

static void close_log(const struct subject *subject, struct log *log)
{
	int error = report_finish(&log->report);

	if (!error)
		error = write_gathered(log);
	if (error)
		complain("%s: not all could be written to %s: %s", subject->name,
			 subject->path[0] ? subject->path : "standard error", reason_of(-error));
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

typedef bool write_fn(const struct leak_header *header, struct leak_output *outputs,
		      unsigned int nr_outputs);

static void write_log(enum log_subject what, struct leak_header *header, write_fn *write)
{
	static struct log logs[NR_LEAK_FORMATS];
	const struct subject *subject = &subjects[what];
	struct leak_output outputs[NR_LEAK_FORMATS];
	unsigned int nr;

	complete(header);
	nr = open_logs(subject, logs, header);
	for (unsigned int i = 0; i < nr; i++)
		outputs[i] = (struct leak_output){ logs[i].format->writers[what],
						   &logs[i].report };
	if (nr && !write(header, outputs, nr))
		complain("no %s: no memory for it", subject->name);
	for (unsigned int i = 0; i < nr; i++)
		close_log(subject, &logs[i]);
}

static bool write_leaks(const struct leak_header *header, struct leak_output *outputs,
			unsigned int nr_outputs)
{
	leak_report_write(header, outputs, nr_outputs);
	return true;
}

void leak_log_write(struct leak_header *header)
{
	write_log(LOG_LEAKS, header, write_leaks);
}

void leak_log_write_profile(void)
{
	struct leak_header header = { .pid = os_getpid() };

	write_log(LOG_PROFILE, &header, alloc_profile_write);
}
#endif
