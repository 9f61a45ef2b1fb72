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

#endif
