/*
 * symbolize.c - `stitchmalloc symbolize`: names for the frames of a report that has none.
 *
 * A filter: lines of frames ("#1 0x7f.. (/usr/bin/program+0x1234)"), as a leak report with
 * symbolize=0 has them, come out with functions, files and lines; every other line as it is. By
 * libdw of elfutils, which also finds separate files of debug information, by build-id and name.
 */
#define _GNU_SOURCE
#include "symbolize.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if !HAVE_LIBDW

int symbolize(const char *path)
{
	(void)path;
	fputs("stitchmalloc: symbolize: built without libdw; "
	      "apt-get install libdw-dev libiberty-dev, and build again\n", stderr);
	return 125;
}

#else

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <libiberty/demangle.h>

#define MAX_MODULES 512u

struct frame {
	unsigned int index; /* in the report; the first is the library's */
	uint64_t pc, offset;
	char module[4096];
	char build_id[129]; /* "": not told */
};

struct module {
	char *path;
	Dwfl_Module *dwfl; /* NULL: cannot be opened */
	bool warned;
};

static Dwfl *session;
static struct module modules[MAX_MODULES];
static size_t nr_modules;
/* Of the frame that is printed next: inlined functions are frames of their own. */
static unsigned int number;
/* It has come to main: what libc has called it by is passed over. */
static bool is_complete;

static const Dwfl_Callbacks callbacks = {
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

/* --- modules ---------------------------------------------------------------------------------- */

static Dwfl_Module *open_module(const char *path)
{
	Dwfl_Module *module;

	dwfl_report_begin_add(session);
	module = dwfl_report_offline(session, path, path, -1);
	dwfl_report_end(session, NULL, NULL);
	if (!module)
		fprintf(stderr, "stitchmalloc: symbolize: %s: %s\n", path, dwfl_errmsg(-1));
	return module;
}

static struct module *find_module(const char *path)
{
	for (size_t i = 0; i < nr_modules; i++)
		if (!strcmp(modules[i].path, path))
			return &modules[i];
	if (nr_modules == MAX_MODULES)
		return NULL;
	modules[nr_modules] = (struct module){ strdup(path), open_module(path), false };
	return &modules[nr_modules++];
}

/* The file may have been built anew since. */
static bool is_same_build(struct module *module, const struct frame *frame)
{
	const unsigned char *bits;
	GElf_Addr address;
	int bytes = dwfl_module_build_id(module->dwfl, &bits, &address);
	char text[sizeof(frame->build_id)] = "";

	for (int i = 0; i < bytes && 2 * i + 2 < (int)sizeof(text); i++)
		sprintf(text + 2 * i, "%02x", bits[i]);
	if (!frame->build_id[0] || !strcmp(text, frame->build_id))
		return true;
	if (!module->warned)
		fprintf(stderr, "stitchmalloc: symbolize: %s is not the file that the report is "
			"about: build-id %s, not %s\n", module->path, text, frame->build_id);
	module->warned = true;
	return false;
}

/* --- frames ----------------------------------------------------------------------------------- */

/*
 * As the report itself has it: malloc jumps to malloc_slow, _detour or _sampled of the library, and
 * debug information has posix_memalign under the name that it is an alias of.
 */
static char *name_for_program(const struct frame *frame, char *function)
{
	char *suffix = strrchr(function, '_');

	if (!frame->index && !strcmp(function, "own_posix_memalign"))
		return function + strlen("own_");
	if (frame->index || !suffix || suffix == function ||
	    (strcmp(suffix, "_slow") != 0 && strcmp(suffix, "_detour") != 0 &&
	     strcmp(suffix, "_sampled") != 0))
		return function;
	*suffix = '\0';
	return strncmp(function, "new", 3) ? function : "operator new";
}

static void print_frame(const struct frame *frame, const char *function, const char *file,
			int line)
{
	char *plain = NULL;

	if (function && !strncmp(function, "_Z", 2))
		plain = cplus_demangle(function, DMGL_PARAMS | DMGL_ANSI | DMGL_TYPES);
	if (function && !plain)
		plain = strdup(function);
	printf("    #%u 0x%" PRIx64, number++, frame->pc);
	if (plain)
		printf(" in %s", name_for_program(frame, plain));
	if (file)
		printf(" %s:%d", file, line);
	printf(" (%s+0x%" PRIx64 ")\n", frame->module, frame->offset);
	is_complete = function && !strcmp(function, "main");
	free(plain);
}

static const char *name_of(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	const char *name = dwarf_formstring(
		dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute));

	return name ? name : dwarf_diename(die);
}

static Dwarf_Word number_of(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value = 0;

	dwarf_formudata(dwarf_attr(die, name, &attribute), &value);
	return value;
}

/* Where an inlined function was called. */
static const char *call_place(Dwarf_Die *unit, Dwarf_Die *inlined, int *line)
{
	Dwarf_Files *files;
	size_t nr_files;

	*line = (int)number_of(inlined, DW_AT_call_line);
	if (dwarf_getsrcfiles(unit, &files, &nr_files))
		return NULL;
	return dwarf_filesrc(files, number_of(inlined, DW_AT_call_file), NULL, NULL);
}

/* Of C++ functions of one file debug information has the last part of the name only. */
static const char *whole_name(Dwfl_Module *module, Dwarf_Addr address, Dwarf_Die *die)
{
	const char *name = dwfl_module_addrname(module, address);

	return name && !strncmp(name, "_Z", 2) ? name : name_of(die);
}

/* The functions that the address is in, innermost first, up to one that was not inlined. */
static int find_scopes(Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die **scopes)
{
	Dwarf_Die *around = NULL, innermost;
	int nr = unit ? dwarf_getscopes(unit, address, &around) : 0;

	if (nr <= 0)
		return 0;
	/* Behind an inlined function come those around its definition: ask for its callers. */
	innermost = around[0];
	free(around);
	nr = dwarf_getscopes_die(&innermost, scopes);
	return nr > 0 ? nr : 0;
}

/* By debug information. False: there is none of the address. */
static bool print_scopes(const struct frame *frame, Dwfl_Module *module, Dwarf_Addr address)
{
	Dwarf_Addr bias;
	Dwarf_Die *unit = dwfl_module_addrdie(module, address, &bias), *scopes = NULL;
	Dwfl_Line *source = dwfl_module_getsrc(module, address);
	int line = 0, nr = find_scopes(unit, address - bias, &scopes);
	const char *file = source ? dwfl_lineinfo(source, NULL, &line, NULL, NULL, NULL) : NULL;
	bool printed = false;

	for (int i = 0; i < nr && !printed; i++) {
		int tag = dwarf_tag(&scopes[i]);

		if (tag == DW_TAG_inlined_subroutine) {
			if (frame->index)
				print_frame(frame, name_of(&scopes[i]), file, line);
			file = call_place(unit, &scopes[i], &line);
		} else if (tag == DW_TAG_subprogram) {
			print_frame(frame, whole_name(module, address, &scopes[i]), file, line);
			printed = true;
		}
	}
	free(scopes);
	return printed;
}

static void print_named(const struct frame *frame)
{
	struct module *module = find_module(frame->module);
	GElf_Addr bias = 0;

	if (!module || !module->dwfl || !is_same_build(module, frame) ||
	    !dwfl_module_getelf(module->dwfl, &bias)) {
		print_frame(frame, NULL, NULL, 0);
		return;
	}
	if (!print_scopes(frame, module->dwfl, frame->offset + bias))
		print_frame(frame, dwfl_module_addrname(module->dwfl, frame->offset + bias), NULL,
			    0);
}

/* "    #1 0x7f.. (path+0x12) (BuildId: ab..)" */
static bool parse_frame(const char *line, struct frame *frame)
{
	const char *open, *plus, *id;
	int length = 0;

	*frame = (struct frame){ 0 };
	if (sscanf(line, " #%u 0x%" SCNx64 " %n", &frame->index, &frame->pc, &length) < 2 ||
	    !length || line[length] != '(')
		return false;
	open = line + length + 1;
	id = strstr(open, ") (BuildId: ");
	plus = memrchr(open, '+', id ? (size_t)(id - open) : strlen(open));
	if (!plus || plus == open || plus - open >= (long)sizeof(frame->module) ||
	    sscanf(plus, "+0x%" SCNx64, &frame->offset) != 1)
		return false;
	memcpy(frame->module, open, (size_t)(plus - open));
	if (id)
		sscanf(id, ") (BuildId: %128[0-9a-f]", frame->build_id);
	return true;
}

static void filter(FILE *report)
{
	struct frame frame;
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, report) > 0) {
		if (!parse_frame(line, &frame)) {
			fputs(line, stdout);
			continue;
		}
		if (!frame.index) {
			number = 0;
			is_complete = false;
		}
		if (!is_complete)
			print_named(&frame);
	}
	free(line);
}

int symbolize(const char *path)
{
	FILE *report = strcmp(path, "-") ? fopen(path, "r") : stdin;
	int status = 0;

	if (!report) {
		fprintf(stderr, "stitchmalloc: symbolize: %s: %s\n", path, strerror(errno));
		return 125;
	}
	session = dwfl_begin(&callbacks);
	filter(report);
	if (ferror(report) || fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "stitchmalloc: symbolize: %s: %s\n", path, strerror(errno));
		status = 125;
	}
	fclose(report);
	dwfl_end(session);
	for (size_t i = 0; i < nr_modules; i++)
		free(modules[i].path);
	return status;
}

#endif
