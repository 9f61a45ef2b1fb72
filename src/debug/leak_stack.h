/*
 * leak_stack.h - stacks of the depot as a reader wants them: named, matched with rules, printed.
 *
 * L7. For one thread at a time. Names come from files (debug/symbolise.h).
 */
#ifndef DEBUG_LEAK_STACK_H
#define DEBUG_LEAK_STACK_H

#include "core/report.h"
#include "debug/stackdepot.h"

/* A line for each frame, down to main; and one where it is not known who has called the last. */
void leak_stack_print(struct report *report, depot_stack_handle stack);

/* A rule that suppresses what has this stack. */
void leak_stack_print_rule(struct report *report, depot_stack_handle stack);

/* A rule suppresses an object of so many bytes with this stack, and counts it. */
bool leak_stack_is_known(depot_stack_handle stack, size_t bytes);

/* " (held by ...)": where the word lies. */
void leak_holder_print(struct report *report, uintptr_t holder);

#endif
