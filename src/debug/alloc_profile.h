/*
 * alloc_profile.h - what each place of the program has allocated: profile=.
 *
 * L7. Counters with every stack of the depot: live now, live when the program had most, and all
 * that it ever allocated. Lock-free but for who takes down the peak; callable from signal handlers.
 *
 * The peak is that of the whole program, exact within 1 %: what was live there adds up.
 */
#ifndef DEBUG_ALLOC_PROFILE_H
#define DEBUG_ALLOC_PROFILE_H

#include "debug/leak_groups.h"

/* Bytes to keep with each stack (stack_depot_init). */
#define ALLOC_PROFILE_STACK_BYTES (7u * sizeof(uint64_t))

/* An object of so many bytes, as they were asked for; of a sample it stands for others. */
void alloc_profile_add(depot_stack_handle stack, size_t bytes);
void alloc_profile_remove(depot_stack_handle stack, size_t bytes);
/* It was not removed after all. */
void alloc_profile_restore(depot_stack_handle stack, size_t bytes);

/* In the child: whoever took down the peak is not here. */
void alloc_profile_after_fork(void);

/* At the end: sort the places, and write them. False: no memory. For one thread at a time. */
bool alloc_profile_write(const struct leak_header *header, struct leak_output *outputs,
			 unsigned int nr_outputs);

#endif
