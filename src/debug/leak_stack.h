/*
 * leak_stack.h - stacks of the depot as a reader wants them: named, and matched with rules.
 *
 * L7. For one thread at a time. Names come from files (debug/symbolise.h).
 */
#ifndef DEBUG_LEAK_STACK_H
#define DEBUG_LEAK_STACK_H

#include "core/report.h"
#include "debug/stackdepot.h"
#include "debug/symbolise.h"

/* Return false to stop. number: in the stack, inlined functions counted. pc: of the call. */
typedef bool leak_frame_fn(void *context, unsigned int number, uintptr_t pc,
			   const struct symbol *symbol);

/*
 * Call fn for every frame, innermost first; with symbolize=0 only modules and offsets are known.
 * Where it is not known who has called the last one comes a frame with pc 0: its function says so.
 */
void leak_stack_visit(depot_stack_handle stack, leak_frame_fn *fn, void *context);

/* A rule that suppresses what has this stack. */
void leak_stack_print_rule(struct report *report, depot_stack_handle stack);

/* A look begins, in which no rule has suppressed anything yet. */
void leak_stacks_begin(void);

/* A rule suppresses an object of so many bytes with this stack, and counts it. */
bool leak_stack_is_known(depot_stack_handle stack, size_t bytes);

#endif
