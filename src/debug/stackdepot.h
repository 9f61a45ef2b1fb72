/*
 * stackdepot.h - every stack is kept once, under a number (lib/stackdepot.c).
 *
 * L7. A hash table of records that are never removed, in one mapping of its own. Lock-free, and
 * whole at every instant: callable from signal handlers and by any thread.
 */
#ifndef DEBUG_STACKDEPOT_H
#define DEBUG_STACKDEPOT_H

#include "base/compiler.h"

#define STACK_MAX_FRAMES 64u

/* Numbers a stack; 0: there is none. */
typedef uint32_t depot_stack_handle;

/* extra_bytes, a multiple of 8: kept with each stack for the caller. False: no memory. Once. */
bool stack_depot_init(size_t extra_bytes);

/* pcs: innermost first, at most STACK_MAX_FRAMES. 0: the depot is full. */
depot_stack_handle stack_depot_save(const uintptr_t *pcs, unsigned int nr);

/* The stack's frames, which stay where they are. *nr is 0 for handle 0. */
const uintptr_t *stack_depot_fetch(depot_stack_handle handle, unsigned int *nr);

/* The stack's extra bytes, 8-byte aligned; zero at first. handle is not 0. */
void *stack_depot_extra(depot_stack_handle handle);

/* Call fn for every stack that there is; those that are added meanwhile may be missed. */
typedef void stack_depot_fn(void *context, depot_stack_handle handle);
void stack_depot_visit(stack_depot_fn *fn, void *context);

/* How many there are. Counts them. */
size_t stack_depot_count(void);

/* A number for whoever looks at the stacks later; 0 at first. handle is not 0. */
uint32_t *stack_depot_note(depot_stack_handle handle);

#endif
