/* stack_name.c - see stack_name.h. */
#include "debug/stack_name.h"

#include <stddef.h>

#include "debug/unwind.h"

/* The linker's. Weak: there may be none. */
extern const struct stack_name __start_stack_names[]
	__attribute__((weak, visibility("hidden")));
extern const struct stack_name __stop_stack_names[]
	__attribute__((weak, visibility("hidden")));

const char *stack_name_of(uintptr_t pc)
{
	uintptr_t function = unwind_function_of(pc);

	for (const struct stack_name *entry = __start_stack_names; entry < __stop_stack_names;
	     entry++)
		if (entry->function == function)
			return entry->name;
	return NULL;
}
