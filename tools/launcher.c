/*
 * launcher.c - the `stitchmalloc` program: starts a program with the library preloaded.
 *
 * An ordinary program on libc; it shares no code with the library. It only sets two environment
 * variables, both by appending, and becomes the program: no process is left in between.
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
#include <unistd.h>

#define LIBRARY "libstitchmalloc.so"

/* The statuses of env(1), nice(1) and the shells. */
enum { EXIT_USAGE = 2, EXIT_SETUP = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

static const char usage[] =
	"usage: stitchmalloc run [-o KEY=VALUE]... [--lib PATH] [--] PROGRAM [ARG]...\n"
	"       stitchmalloc --help | --version\n"
	"\n"
	"Runs PROGRAM with malloc and free served by " LIBRARY ".\n"
	"  -o KEY=VALUE   an option of the library, appended to STITCH_CONF;\n"
	"                 `stitchmalloc run -o help=1 true` lists them all\n"
	"  --lib PATH     preload this library; by default the one beside this program,\n"
	"                 in " STITCH_LIBDIR_BESIDE " from there, or in " STITCH_LIBDIR "\n"
	"LD_PRELOAD and STITCH_CONF keep what they hold. The exit status is PROGRAM's; 127 when\n"
	"it is not found, 126 when it cannot be executed, 125 when the library cannot be had.\n";

static _Noreturn void fail(int status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static _Noreturn void fail(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("stitchmalloc: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
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

static char *find_library(void)
{
	const char *folder = own_folder();
	char *candidates[] = {
		join(folder, '/', LIBRARY),
		join(folder, '/', STITCH_LIBDIR_BESIDE "/" LIBRARY),
		join(STITCH_LIBDIR, '/', LIBRARY),
	};

	for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++)
		if (!access(candidates[i], R_OK))
			return candidates[i];
	fail(EXIT_SETUP, LIBRARY " is not in %s, %s/" STITCH_LIBDIR_BESIDE " or " STITCH_LIBDIR
	     "; build it (cmake --build --preset release) or name it with --lib PATH",
	     folder, folder);
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
	privileged = !fstat(fd, &status) &&
		     (((status.st_mode & S_ISUID) && status.st_uid != geteuid()) ||
		      ((status.st_mode & S_ISGID) && status.st_gid != getegid()));
	if (privileged)
		fprintf(stderr, "stitchmalloc: warning: %s is set-user-ID or set-group-ID: "
			"it ignores LD_PRELOAD and runs on its own malloc\n", path);
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
		else
			fail(EXIT_USAGE, "unknown or incomplete option %s\n%s", *args, usage);
	}
	return args;
}

static int run(char **args)
{
	const char *library = NULL, *path;
	char **program = parse_run(args, &library);

	if (!*program)
		fail(EXIT_USAGE, "run what?\n%s", usage);
	if (!library)
		library = find_library();
	append_to_environment("LD_PRELOAD", ':', checked_library(library));
	path = find_program(*program);
	if (path)
		warn_when_not_preloadable(path);
	execvp(*program, program);
	if (errno == ENOENT && (!path || access(path, F_OK)))
		fail(EXIT_NOT_FOUND, "%s: program not found; check its name and PATH", *program);
	fail(EXIT_NOT_EXECUTABLE, "%s: cannot be executed: %s", *program, strerror(errno));
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (!strcmp(command, "run"))
		return run(argv + 2);
	if (!strcmp(command, "--help")) {
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	}
	if (!strcmp(command, "--version")) {
		puts("stitchmalloc " STITCH_VERSION);
		return EXIT_SUCCESS;
	}
	fail(EXIT_USAGE, "%s%s\n%s", *command ? "unknown command " : "no command", command, usage);
}
