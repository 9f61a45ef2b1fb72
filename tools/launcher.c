/*
 * launcher.c - the `stitchmalloc` program: starts a program with the library preloaded, or with the
 * recorder of allocation traces.
 *
 * An ordinary program on libc; it shares no code with the library. To run something it only sets
 * environment variables and becomes the program: no process is left in between.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "complain.h"
#include "flamegraph/flamegraph.h"
#include "leaks.h"
#include "report.h"
#include "symbolize.h"

#define LIBRARY "libstitchmalloc.so"
#define RECORDER "libstitchrecord.so"

/* The statuses of env(1), nice(1) and the shells. */
enum { EXIT_USAGE = 2, EXIT_SETUP = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

static const char usage[] =
	"usage: stitchmalloc run [--leaks[=full|=sample]] [-o KEY=VALUE]... [--] PROGRAM [ARG]...\n"
	"       stitchmalloc record -o FILE [--limit MIB] [--lib PATH] [--] PROGRAM [ARG]...\n"
	"       stitchmalloc leaks PID\n"
	"       stitchmalloc report PID [NAME]\n"
	"       stitchmalloc symbolize [FILE]\n"
	"       stitchmalloc flamegraph REPORT [-o FILE]\n"
	"       stitchmalloc --help | --version\n"
	"\n"
	"run: runs PROGRAM with malloc and free served by " LIBRARY ".\n"
	"  --leaks        report at exit what nothing points to any more; costs nothing before\n"
	"  --leaks=full   also where it was allocated, and exact sizes; slow\n"
	"  --leaks=sample[:BYTES]  the same estimated from a sample of one block in BYTES (512K)\n"
	"                 allocated bytes; hardly slower\n"
	"  --profile[=full]  report what each place of PROGRAM has allocated: at the peak, at the\n"
	"                 end, in all; slow. --profile=sample[:BYTES] estimates it\n"
	"  --show=KIND    list leaks that are definite, also possible (the default), or all that\n"
	"                 is still reachable, too\n"
	"  --log=FILE     the report goes there, not to stderr; %p in it is the process id,\n"
	"                 %e the program, %h the host\n"
	"  --format=FORMAT,...  text, json, collapsed (for flame graphs), heap_v2 (for jeprof),\n"
	"                 pprof; of several --log=FILE is the text and FILE.json and so on the\n"
	"                 others\n"
	"  --leak-signal=NAME   report at this signal (USR2), too, while PROGRAM lives on\n"
	"  --suppressions=FILE  leaks that are known, in LeakSanitizer's format\n"
	"  --gen-suppressions   print such a rule behind each leak\n"
	"  --exitcode=N   exit with status N if there are leaks\n"
	"  --exe=NAME     report only on programs of this name; * is any text\n"
	"  --no-children  nothing of processes that PROGRAM forks\n"
	"  --fail=PERCENT so many of a hundred requests for memory get none, to see what PROGRAM\n"
	"                 does then; -o fail_space=BYTES and others say which\n"
	"  -o KEY=VALUE   an option of the library, appended to STITCH_CONF;\n"
	"                 `stitchmalloc run -o help=1 true` lists them all\n"
	"  --lib PATH     preload this library; by default the one beside this program,\n"
	"                 in " STITCH_LIBDIR_BESIDE " from there, or in " STITCH_LIBDIR "\n"
	"                 All of these but --lib are options of the library as well.\n"
	"record: runs PROGRAM and writes every call of malloc and its kin to FILE.\n"
	"PROGRAM keeps its own malloc. A process that it forks goes on in FILE.PID; a program\n"
	"that one of them executes is not recorded.\n"
	"  -o FILE        the trace; some 3 bytes a call\n"
	"  --limit MIB    end the recording, not PROGRAM, when the file has this size\n"
	"  --lib PATH     the recorder; by default " RECORDER ", found as above\n"
	"leaks: what a process that runs with the library has lost by now; it needs no option for\n"
	"that, and stands still for a moment only. Takes the right to trace it (ptrace).\n"
	"report: the heap of a process that runs with the library, as the kernel's /proc shows\n"
	"its own: NAME is buddyinfo, slabinfo ...; without it they are listed. Stops nothing.\n"
	"symbolize: a leak report that was written with symbolize=0 goes to standard output with\n"
	"functions, files and lines, which may be found on another machine.\n"
	"flamegraph: a leak report in JSON, or of collapsed stacks, as a page for browsers;\n"
	"`stitchmalloc flamegraph --help` tells more.\n"
	"LD_PRELOAD and STITCH_CONF keep what they hold. The exit status is PROGRAM's; 127 when\n"
	"it is not found, 126 when it cannot be executed, 125 when the library cannot be had.\n";

static _Noreturn void fail(int status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static _Noreturn void fail(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain_of(format, args);
	va_end(args);
	exit(status);
}

/* "a", ':', "b" give "a:b"; NULL or "" on the left gives "b". */
static char *join(const char *left, char separator, const char *right)
{
	char *joined;
	int length;

	if (left && *left)
		length = asprintf(&joined, "%s%c%s", left, separator, right);
	else
		length = asprintf(&joined, "%s", right);
	if (length < 0)
		fail(EXIT_SETUP, "out of memory");
	return joined;
}

static void append_to_environment(const char *name, char separator, const char *text)
{
	char *value = join(getenv(name), separator, text);

	if (setenv(name, value, 1))
		fail(EXIT_SETUP, "cannot set %s: %s", name, strerror(errno));
	free(value);
}

/* The folder that this program lies in, symbolic links resolved. */
static char *own_folder(void)
{
	static char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length <= 0)
		fail(EXIT_SETUP, "cannot read /proc/self/exe: %s; name the library with --lib PATH",
		     strerror(errno));
	path[length] = '\0';
	*strrchr(path, '/') = '\0';
	return path;
}

static char *find_library(const char *name)
{
	const char *folder = own_folder();
	char *candidates[] = {
		join(folder, '/', name),
		join(join(folder, '/', STITCH_LIBDIR_BESIDE), '/', name),
		join(STITCH_LIBDIR, '/', name),
	};

	for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++)
		if (!access(candidates[i], R_OK))
			return candidates[i];
	fail(EXIT_SETUP, "%s is not in %s, %s/" STITCH_LIBDIR_BESIDE " or " STITCH_LIBDIR
	     "; build it (cmake --build --preset release) or name it with --lib PATH",
	     name, folder, folder);
}

/* The dynamic linker splits LD_PRELOAD at these and has no way to quote them. */
static char *checked_library(const char *path)
{
	char *library = realpath(path, NULL);

	if (!library)
		fail(EXIT_SETUP, "library %s: %s; check the path after --lib", path,
		     strerror(errno));
	if (strpbrk(library, ": "))
		fail(EXIT_SETUP, "library %s: LD_PRELOAD cannot hold a path with a colon or a "
		     "space; move it or name a link to it", library);
	return library;
}

/* True for a 64-bit ELF program that asks for no dynamic linker: nothing can be preloaded. */
static bool is_static_program(int fd)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64)
		return false;
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		off_t offset = (off_t)(header.e_phoff + i * sizeof(segment));

		if (pread(fd, &segment, sizeof(segment), offset) != (ssize_t)sizeof(segment) ||
		    segment.p_type == PT_INTERP)
			return false;
	}
	return true;
}

/* Say so when the dynamic linker is going to ignore LD_PRELOAD, then let the program run. */
static void warn_when_not_preloadable(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	bool privileged;

	if (fd < 0)
		return;
	privileged = (geteuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0) ||
		     (!fstat(fd, &status) &&
		      (((status.st_mode & S_ISUID) && status.st_uid != geteuid()) ||
		       ((status.st_mode & S_ISGID) && status.st_gid != getegid())));
	if (privileged)
		fprintf(stderr, "stitchmalloc: warning: %s is set-user-ID or set-group-ID, or has "
			"capabilities: it ignores LD_PRELOAD and runs on its own malloc\n", path);
	else if (is_static_program(fd))
		fprintf(stderr, "stitchmalloc: warning: %s is statically linked: "
			"nothing can be preloaded, it runs on its own malloc\n", path);
	close(fd);
}

/* The file that execvp would run, or NULL. */
static const char *find_program(const char *name)
{
	static char path[PATH_MAX];
	const char *folders = getenv("PATH");

	if (strchr(name, '/'))
		return name;
	for (const char *p = folders ? folders : "/bin:/usr/bin"; p; p = strchr(p, ':')) {
		p += *p == ':';
		snprintf(path, sizeof(path), "%.*s/%s", (int)strcspn(p, ":"), p, name);
		if (!access(path, X_OK))
			return path;
	}
	return NULL;
}

static void add_option(const char *option)
{
	if (!option || !strchr(option, '='))
		fail(EXIT_USAGE,
		     "-o needs KEY=VALUE; `stitchmalloc run -o help=1 true` lists the keys");
	append_to_environment("STITCH_CONF", ',', option);
}

/* Flags of `run` that are options of the library. */
static const struct flag {
	const char *name, *key;
	const char *value; /* of the flag alone; NULL: it needs one */
	bool is_path;	   /* the program may be in another folder when it is used */
	bool is_list;	   /* of words with commas between them, for which options have + */
} flags[] = {
	{ "--leaks", "leaks", "1", false, false },
	{ "--profile", "profile", "full", false, false },
	{ "--show", "leak_show", NULL, false, false },
	{ "--log", "log_path", NULL, true, false },
	{ "--format", "leak_format", NULL, false, true },
	{ "--leak-signal", "leak_signal", NULL, false, false },
	{ "--suppressions", "suppressions", NULL, true, false },
	{ "--gen-suppressions", "gen_suppressions", "1", false, false },
	{ "--exitcode", "exitcode", NULL, false, false },
	{ "--exe", "exe", NULL, false, false },
	{ "--no-children", "children", "0", false, false },
	{ "--fail", "fail", NULL, false, false },
};

static char *absolute(const char *path)
{
	char *folder = *path == '/' ? NULL : getcwd(NULL, 0);

	return folder ? join(folder, '/', path) : join(NULL, 0, path);
}

static char *joined_by_plus(const char *list)
{
	char *joined = join(NULL, 0, list);

	for (char *comma = joined; (comma = strchr(comma, ',')); comma++)
		*comma = '+';
	return joined;
}

static void pass_flag(const struct flag *flag, const char *value)
{
	if (!value || !*value)
		fail(EXIT_USAGE, "%s needs a value: %s=...\n%s", flag->name, flag->name, usage);
	if (flag->is_list)
		value = joined_by_plus(value);
	if (flag->is_path)
		value = absolute(value);
	if (strchr(value, ','))
		fail(EXIT_USAGE, "%s=%s: the library's options cannot hold a comma", flag->name,
		     value);
	add_option(join(flag->key, '=', value));
}

/* False: no such flag. */
static bool parse_flag(const char *argument)
{
	size_t length = strcspn(argument, "=");

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strlen(flags[i].name) == length && !strncmp(argument, flags[i].name, length)) {
			pass_flag(&flags[i],
				  argument[length] ? argument + length + 1 : flags[i].value);
			return true;
		}
	}
	return false;
}

/* Take the options of `run` off the front; what is left is the program and its arguments. */
static char **parse_run(char **args, const char **library)
{
	for (; *args && **args == '-'; args++) {
		if (!strcmp(*args, "--"))
			return args + 1;
		if (!strcmp(*args, "-o"))
			add_option(*++args);
		else if (!strncmp(*args, "-o", 2))
			add_option(*args + 2);
		else if (!strncmp(*args, "--lib=", 6))
			*library = *args + 6;
		else if (!strcmp(*args, "--lib") && args[1])
			*library = *++args;
		else if (!parse_flag(*args))
			fail(EXIT_USAGE, "unknown or incomplete option %s\n%s", *args, usage);
	}
	return args;
}

static _Noreturn void become(char **program)
{
	const char *path = find_program(*program);

	if (path)
		warn_when_not_preloadable(path);
	execvp(*program, program);
	if (errno == ENOENT && (!path || access(path, F_OK)))
		fail(EXIT_NOT_FOUND, "%s: program not found; check its name and PATH", *program);
	fail(EXIT_NOT_EXECUTABLE, "%s: cannot be executed: %s", *program, strerror(errno));
}

static int run(char **args)
{
	const char *library = NULL;
	char **program = parse_run(args, &library);

	if (!*program)
		fail(EXIT_USAGE, "run what?\n%s", usage);
	if (!library)
		library = find_library(LIBRARY);
	append_to_environment("LD_PRELOAD", ':', checked_library(library));
	become(program);
}

struct record_options {
	const char *file, *limit, *library;
};

static char **parse_record(char **args, struct record_options *options)
{
	for (; *args && **args == '-'; args++) {
		const char **value = NULL;

		if (!strcmp(*args, "--"))
			return args + 1;
		if (!strcmp(*args, "-o"))
			value = &options->file;
		else if (!strcmp(*args, "--limit"))
			value = &options->limit;
		else if (!strcmp(*args, "--lib"))
			value = &options->library;
		if (!value || !args[1])
			fail(EXIT_USAGE, "unknown or incomplete option %s\n%s", *args, usage);
		*value = *++args;
	}
	return args;
}

/*
 * The recorder begins the file anew; that it cannot is better said here. What is in it stays until
 * then: there may be no such program.
 */
static void pass_file(const char *file)
{
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	char *path = fd < 0 ? NULL : realpath(file, NULL);

	if (!path || setenv("STITCH_RECORD", path, 1))
		fail(EXIT_SETUP, "trace %s: %s; name a file that can be written after -o", file,
		     strerror(errno));
	free(path);
	close(fd);
}

static void pass_limit(const char *mib)
{
	char *end, *bytes;
	unsigned long limit = strtoul(mib, &end, 10);

	if (*end || end == mib || !limit || limit > ULONG_MAX >> 20)
		fail(EXIT_USAGE, "--limit needs a number of MiB, not %s", mib);
	if (asprintf(&bytes, "%lu", limit << 20) < 0 || setenv("STITCH_RECORD_LIMIT", bytes, 1))
		fail(EXIT_SETUP, "out of memory");
	free(bytes);
}

static int record(char **args)
{
	struct record_options options = { NULL, NULL, NULL };
	char **program = parse_record(args, &options);
	const char *library, *present = getenv("LD_PRELOAD");

	if (!*program)
		fail(EXIT_USAGE, "record what?\n%s", usage);
	if (!options.file)
		fail(EXIT_USAGE, "record to where? -o FILE is missing\n%s", usage);
	library = checked_library(options.library ? options.library : find_library(RECORDER));
	pass_file(options.file);
	unsetenv("STITCH_RECORD_LIMIT");
	if (options.limit)
		pass_limit(options.limit);
	/* In front: it sees the calls first and hands them on to an allocator that is there. */
	if (present && *present)
		library = join(library, ':', present);
	if (setenv("LD_PRELOAD", library, 1))
		fail(EXIT_SETUP, "out of memory");
	become(program);
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (!strcmp(command, "run"))
		return run(argv + 2);
	if (!strcmp(command, "record"))
		return record(argv + 2);
	if (!strcmp(command, "leaks"))
		return leaks(argv[2]);
	if (!strcmp(command, "report"))
		return report(argv[2], argv[2] ? argv[3] : NULL);
	if (!strcmp(command, "symbolize"))
		return symbolize(argc > 2 ? argv[2] : "-");
	if (!strcmp(command, "flamegraph"))
		return flamegraph(argv + 2);
	if (!strcmp(command, "--help")) {
		fputs(usage, stdout);
		return end_of_output();
	}
	if (!strcmp(command, "--version")) {
		puts("stitchmalloc " STITCH_VERSION);
		return end_of_output();
	}
	fail(EXIT_USAGE, "%s%s\n%s", *command ? "unknown command " : "no command", command, usage);
}
