/*
 * symbolise.h - names for addresses of code: function, file and line, module.
 *
 * L7. By libbacktrace (debug information, separate files of it found by build-id and debuglink,
 * symbol tables) and libiberty's demangler, both linked into the library; without them
 * (CONFIG_SYMBOLISE=0) by what the loader knows. Maps files and memory of its own, some tens of
 * megabytes where there is much debug information, and keeps them; never calls malloc. Takes the
 * loader's lock. For one thread at a time.
 */
#ifndef DEBUG_SYMBOLISE_H
#define DEBUG_SYMBOLISE_H

#include "base/compiler.h"

struct symbol {
	const char *function; /* demangled, cut to 1023 characters; NULL: not known */
	const char *file;     /* NULL: not known */
	unsigned int line;
	const char *module; /* path of the program or library; NULL: in none that is loaded */
	uintptr_t offset;   /* the address as the module's file has it; without a module, the pc */
	bool inlined;	    /* into the next one */
};

/* Texts are valid during the call. */
typedef void symbol_fn(void *context, const struct symbol *symbol);

/*
 * Call fn for every function that the source has at the pc, that of an instruction: innermost
 * first, once at least.
 */
void symbolise(uintptr_t pc, symbol_fn *fn, void *context);

/* The same without looking into files: module and offset only. */
void symbolise_module(uintptr_t pc, struct symbol *symbol);

/*
 * The same for modules that stay, being on the caller's stack: without the loader's lock, by any
 * thread if symbolise_program_path was called before.
 */
void symbolise_module_lockless(uintptr_t pc, struct symbol *symbol);
const char *symbolise_program_path(void);

/* Whether the pc is in libc, being a module of its own: not in a static program. */
bool symbolise_is_libc(uintptr_t pc);

/* The build-id of the pc's module as hexadecimal digits. False: it has none, or it is too long. */
bool symbolise_build_id(uintptr_t pc, char *text, size_t bytes);

/* Call fn with the loader's lock held, which nests. */
void symbolise_with_loader(void (*fn)(void *argument), void *argument);

#endif
