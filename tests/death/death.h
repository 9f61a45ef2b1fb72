/*
 * death.h - what the death programs share.
 *
 * Each commits one fault and prints nothing itself. If it comes to its end, that is exit 0: its
 * .expect file says whether it should. The whole table of wrong pointers is hostile/bad_pointers.c.
 */
#ifndef DEATH_DEATH_H
#define DEATH_DEATH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define OBJECT_BYTES ((size_t)64)
#define RUN_BYTES ((size_t)300 << 10)
#define AREA_BYTES ((size_t)5 << 20)

/* The compiler must neither see the fault nor drop the call. */
static inline char *launder(void *pointer)
{
	__asm__ volatile("" : "+r"(pointer) : : "memory");
	return pointer;
}

static inline char *block_of(size_t bytes)
{
	return launder(memset(malloc(bytes), 1, bytes));
}

#endif
