/*
 * hooks.h - where lower layers call higher ones: tables that the higher ones fill.
 *
 * L2. Set once at boot, constant afterwards.
 */
#ifndef CORE_HOOKS_H
#define CORE_HOOKS_H

#include "base/compiler.h"

/*
 * What to do with pointers that no part of the heap owns. NULL members: the pointer is a
 * bad free (reported by core/misuse.h). Called without locks, by any thread.
 */
struct foreign_ops {
	void (*free)(void *object);
	void *(*realloc)(void *object, size_t bytes);
	size_t (*usable_size)(const void *object);
};

extern struct foreign_ops foreign_ops;

/*
 * Around calls of the program's functions: errno stays as it was, and the thread is not cancelled.
 * NULL members: there is no libc.
 */
struct program_state {
	int error, cancel_state;
};

struct program_ops {
	void (*begin)(struct program_state *state);
	void (*end)(const struct program_state *state);
};

extern struct program_ops program_ops;

static inline void program_begin(struct program_state *state)
{
	if (program_ops.begin)
		program_ops.begin(state);
}

static inline void program_end(const struct program_state *state)
{
	if (program_ops.end)
		program_ops.end(state);
}

/* Who did something: a stack of the depot (debug/stackdepot.h; 0: not known), and the thread. */
struct alloc_track {
	uint32_t stack;
	int32_t tid; /* 0: nobody */
};

/* Filled when somebody wants to know. NULL members: nobody knows. Called without locks. */
struct track_ops {
	struct alloc_track (*take)(void);
	/* Of a live object, by the records of a leak check. */
	struct alloc_track (*look_up)(const void *object);
	/* Print the stack, a line a frame. */
	void (*print)(const struct alloc_track *track);
};

extern struct track_ops track_ops;

#endif
