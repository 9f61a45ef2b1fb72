/* symbolise.c - see symbolise.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "debug/symbolise.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <string.h>

#if CONFIG_SYMBOLISE
#include <backtrace.h>
#include <libiberty/demangle.h>
#endif

#include "base/format.h"
#include "base/math.h"
#include "os/os_proc.h"

#define NAME_BYTES 1024u
#define MANGLED_BYTES 4096u
#define PATH_BYTES 4096u
#define MAX_MODULE_STATES 128u /* with more modules in one report the first are read again */

/* --- modules ---------------------------------------------------------------------------------- */

struct module_search {
	uintptr_t pc;
	bool found;
	unsigned long long nr_loads; /* ever, by the loader */
	const ElfW(Phdr) *headers;
	uintptr_t bias;
	const char *path;
	const unsigned char *build_id;
	size_t build_id_bytes;
};

static bool covers(const struct dl_phdr_info *info, uintptr_t pc)
{
	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD &&
		    pc - info->dlpi_addr - segment->p_vaddr < segment->p_memsz)
			return true;
	}
	return false;
}

static void find_build_id(struct module_search *search, const char *note, size_t bytes)
{
	const char *end = note + bytes;

	while (note + sizeof(ElfW(Nhdr)) <= end) {
		const ElfW(Nhdr) *header = (const void *)note;
		const char *name = note + sizeof(*header);
		const char *text = name + align_up(header->n_namesz, 4);

		if (header->n_type == NT_GNU_BUILD_ID && header->n_namesz == sizeof("GNU") &&
		    !memcmp(name, "GNU", sizeof("GNU"))) {
			search->build_id = (const unsigned char *)text;
			search->build_id_bytes = header->n_descsz;
			return;
		}
		note = text + align_up(header->n_descsz, 4);
	}
}

static int visit_module(struct dl_phdr_info *info, size_t bytes, void *argument)
{
	struct module_search *search = argument;

	(void)bytes;
	search->nr_loads = info->dlpi_adds;
	if (!covers(info, search->pc))
		return 0;
	search->found = true;
	search->headers = info->dlpi_phdr;
	search->bias = info->dlpi_addr;
	search->path = info->dlpi_name;
	for (unsigned int i = 0; i < info->dlpi_phnum && !search->build_id; i++)
		if (info->dlpi_phdr[i].p_type == PT_NOTE)
			find_build_id(search,
				      (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr),
				      info->dlpi_phdr[i].p_memsz);
	return 1;
}

/* The program's path is "" to the loader. */
const char *symbolise_program_path(void)
{
	static char path[PATH_BYTES];
	long length = *path ? 0 : os_read_executable(path, sizeof(path) - 1);

	if (length < 0)
		strcpy(path, "?");
	return path;
}

static void note_module(struct symbol *symbol, const char *path, uintptr_t bias)
{
	symbol->module = *path ? path : symbolise_program_path();
	symbol->offset -= bias;
}

static const struct link_map *link_map_of(uintptr_t pc)
{
	struct dl_find_object found;

	return _dl_find_object((void *)pc, &found) ? NULL : found.dlfo_link_map; // NOLINT
}

void symbolise_module_lockless(uintptr_t pc, struct symbol *symbol)
{
	const struct link_map *found = link_map_of(pc);

	*symbol = (struct symbol){ .offset = pc };
	if (found)
		note_module(symbol, found->l_name, found->l_addr);
}

static void find_module(uintptr_t pc, struct module_search *search, struct symbol *symbol)
{
	*search = (struct module_search){ .pc = pc };
	*symbol = (struct symbol){ .offset = pc };
	dl_iterate_phdr(visit_module, search);
	if (search->found)
		note_module(symbol, search->path, search->bias);
}

void symbolise_module(uintptr_t pc, struct symbol *symbol)
{
	struct module_search search;

	find_module(pc, &search, symbol);
}

bool symbolise_is_libc(uintptr_t pc)
{
	const struct link_map *libc = link_map_of((uintptr_t)gnu_get_libc_version);

	return libc && link_map_of(pc) == libc && link_map_of((uintptr_t)symbolise) != libc;
}

bool symbolise_build_id(uintptr_t pc, char *text, size_t bytes)
{
	struct module_search search = { .pc = pc };

	dl_iterate_phdr(visit_module, &search);
	if (!search.build_id_bytes || 2 * search.build_id_bytes >= bytes)
		return false;
	for (size_t i = 0; i < search.build_id_bytes; i++)
		format_text(text + 2 * i, 3, "%02x", search.build_id[i]);
	return true;
}

struct loader_call {
	void (*fn)(void *argument);
	void *argument;
};

static int call_once(struct dl_phdr_info *info, size_t bytes, void *argument)
{
	const struct loader_call *call = argument;

	(void)info;
	(void)bytes;
	call->fn(call->argument);
	return 1;
}

void symbolise_with_loader(void (*fn)(void *argument), void *argument)
{
	struct loader_call call = { fn, argument };

	dl_iterate_phdr(call_once, &call);
}

/* --- names ------------------------------------------------------------------------------------ */

#if CONFIG_SYMBOLISE

struct name {
	char text[NAME_BYTES];
	size_t length;
};

static void append(const char *piece, size_t length, void *argument)
{
	struct name *name = argument;
	size_t room = sizeof(name->text) - 1 - name->length;

	length = min_size(length, room);
	memcpy(name->text + name->length, piece, length);
	name->length += length;
	name->text[name->length] = 0;
}

/*
 * Of itself the demangler refuses more than 1024 characters, which templates exceed. Its stack
 * grows with the name: 75 bytes a character, and 0.7 MB at most for any of this length.
 */
static bool append_demangled(const char *mangled, size_t length, struct name *name)
{
	int options = DMGL_PARAMS | DMGL_ANSI | DMGL_TYPES | DMGL_NO_RECURSE_LIMIT;

	return !strncmp(mangled, "_Z", 2) && length < MANGLED_BYTES &&
	       cplus_demangle_v3_callback(mangled, options, append, name);
}

/* Of C++ functions of one file debug information has the last part of the name only. */
static bool is_mangled(const char *name)
{
	return name && !strncmp(name, "_Z", 2);
}

/* What does not fit is cut, with dots. The text is overwritten by the next call. */
static const char *demangle(const char *mangled)
{
	static struct name name;
	size_t length;

	if (!mangled)
		return NULL;
	length = strlen(mangled);
	name.length = 0;
	if (!append_demangled(mangled, length, &name)) {
		name.length = 0;
		append(mangled, length, &name);
	}
	if (name.length == sizeof(name.text) - 1)
		strcpy(name.text + name.length - 3, "...");
	return name.text;
}

struct lookup {
	symbol_fn *fn;
	void *context;
	struct symbol symbol; /* the last one that was found, which waits for the next */
	bool is_waiting;
	const char *from_table; /* name in the symbol table */
};

/* What is missing in a file is no error: less is known. */
static void ignore_error(void *unused, const char *message, int number)
{
	(void)unused;
	(void)message;
	(void)number;
}

static void emit(struct lookup *lookup, bool inlined)
{
	struct symbol symbol = lookup->symbol;

	symbol.inlined = inlined;
	symbol.function = demangle(symbol.function);
	lookup->fn(lookup->context, &symbol);
	lookup->is_waiting = false;
}

/* One function of the source; the one before was inlined into it. */
static int take_frame(void *argument, uintptr_t pc, const char *file, int line,
		      const char *function)
{
	struct lookup *lookup = argument;

	(void)pc;
	if (lookup->is_waiting)
		emit(lookup, true);
	lookup->symbol.function = function;
	lookup->symbol.file = file;
	lookup->symbol.line = (unsigned int)line;
	lookup->is_waiting = true;
	return 0;
}

static void take_symbol(void *argument, uintptr_t pc, const char *name, uintptr_t start,
			uintptr_t bytes)
{
	struct lookup *lookup = argument;

	(void)pc;
	(void)start;
	(void)bytes;
	lookup->from_table = name;
}

struct module_state {
	const ElfW(Phdr) *headers; /* in memory, which tell modules apart */
	struct backtrace_state *state;
};

static struct {
	struct module_state modules[MAX_MODULE_STATES];
	unsigned int nr;
	unsigned long long nr_loads; /* by the loader, of modules, when they were made */
	const ElfW(Phdr) *in_question;
} states;

struct module_walk {
	int (*fn)(struct dl_phdr_info *info, size_t bytes, void *argument);
	void *argument;
};

static int visit_module_in_question(struct dl_phdr_info *info, size_t bytes, void *argument)
{
	const struct module_walk *walk = argument;

	return info->dlpi_phdr == states.in_question ? walk->fn(info, bytes, walk->argument) : 0;
}

/* What libbacktrace calls for dl_iterate_phdr (tools/cmake/symbolise.cmake). */
int symbolise_iterate_phdr(int (*fn)(struct dl_phdr_info *info, size_t bytes, void *argument),
			   void *argument);
int symbolise_iterate_phdr(int (*fn)(struct dl_phdr_info *info, size_t bytes, void *argument),
			   void *argument)
{
	struct module_walk walk = { fn, argument };

	return dl_iterate_phdr(visit_module_in_question, &walk);
}

/* The memory of those that are forgotten stays libbacktrace's. */
static void forget_states(unsigned long long nr_loads)
{
	states.nr = 0;
	states.nr_loads = nr_loads;
}

/*
 * libbacktrace reads the files of a state's modules at the first question: libc's debug information
 * takes 0.1 s, which no program should pay that has no frames in it. Hence a state for each module.
 * A dlopen may put another in an old one's place.
 */
static struct backtrace_state *state_of(const struct module_search *module, const char *path)
{
	struct backtrace_state *state;

	if (states.nr_loads != module->nr_loads)
		forget_states(module->nr_loads);
	states.in_question = module->headers;
	for (unsigned int i = 0; i < states.nr; i++)
		if (states.modules[i].headers == module->headers)
			return states.modules[i].state;
	if (states.nr == MAX_MODULE_STATES)
		forget_states(module->nr_loads);
	state = backtrace_create_state(path, 0, ignore_error, NULL);
	if (state)
		states.modules[states.nr++] = (struct module_state){ module->headers, state };
	return state;
}

void symbolise(uintptr_t pc, symbol_fn *fn, void *context)
{
	struct lookup lookup = { .fn = fn, .context = context };
	struct backtrace_state *state = NULL;
	struct module_search module;

	find_module(pc, &module, &lookup.symbol);
	if (module.found)
		state = state_of(&module, lookup.symbol.module);
	if (state) {
		backtrace_pcinfo(state, pc, take_frame, ignore_error, &lookup);
		backtrace_syminfo(state, pc, take_symbol, ignore_error, &lookup);
	}
	if (!lookup.symbol.function || is_mangled(lookup.from_table))
		lookup.symbol.function = lookup.from_table;
	emit(&lookup, false);
}

#else /* !CONFIG_SYMBOLISE */

void symbolise(uintptr_t pc, symbol_fn *fn, void *context)
{
	struct symbol symbol;
	Dl_info info;

	symbolise_module(pc, &symbol);
	if (symbol.module && dladdr((void *)pc, &info)) // NOLINT
		symbol.function = info.dli_sname;
	fn(context, &symbol);
}

#endif
