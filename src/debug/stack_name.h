/*
 * stack_name.h - what stacks call those functions of ours that they begin with.
 *
 * L7. The program has called malloc, but malloc jumps to functions that have the frame and local
 * names. Whoever allocates with a record (leak_track.h) is entered here, next to its definition:
 *
 *	STACK_NAME(malloc_detour, "malloc");
 *
 * so that the name does not come from the library's symbol table, which may have been stripped, nor
 * its own debug information be read for it. One that was forgotten has the name of that table, and
 * so have all in static programs (debug/leak_stack.c).
 */
#ifndef DEBUG_STACK_NAME_H
#define DEBUG_STACK_NAME_H

#include "base/compiler.h"

struct stack_name {
	uintptr_t function; /* where it starts */
	const char *name;
};

/* The linker puts them into one array, and lld drops them if they are not retained. */
#if __has_attribute(retain)
#define STACK_NAME_SECTION __attribute__((used, retain, section("stack_names")))
#else
#define STACK_NAME_SECTION __attribute__((used, section("stack_names")))
#endif
#if CONFIG_LEAKS
#define STACK_NAME(function, name)                                                                 \
	static const struct stack_name stack_name_of_##function STACK_NAME_SECTION = {             \
		(uintptr_t)(function), name                                                        \
	}
#else
#define STACK_NAME(function, name) _Static_assert(sizeof(&(function)), name)
#endif

/* NULL: of none that is entered. */
const char *stack_name_of(uintptr_t pc);

#endif
