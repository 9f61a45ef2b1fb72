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

/* False: no memory. Once. */
bool stack_depot_init(void);

/* pcs: innermost first, at most STACK_MAX_FRAMES. 0: the depot is full. */
depot_stack_handle stack_depot_save(const uintptr_t *pcs, unsigned int nr);

/* The stack's frames, which stay where they are. *nr is 0 for handle 0. */
const uintptr_t *stack_depot_fetch(depot_stack_handle handle, unsigned int *nr);

/* A number for whoever looks at the stacks later; 0 at first. handle is not 0. */
uint32_t *stack_depot_note(depot_stack_handle handle);

#endif
