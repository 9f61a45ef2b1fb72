/*
 * record.h - the parts of libstitchrecord.so: interpose.c (malloc and its kin) calls log.c
 * (records and the file), which asks shadow.c (which object lies at an address). Nothing here
 * takes a lock or allocates through malloc.
 */
#ifndef STITCH_RECORD_RECORD_H
#define STITCH_RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace.h"

/* An object: thread + 1 in the upper 24 bits, its number among the thread's in the lower 40. */
#define OBJECT_NONE ((uint64_t)0)
#define OBJECT_SHIFT 40

/* Record a new object at `address`. Preserves errno. */
void log_alloc(enum trace_kind kind, const void *address, size_t bytes, size_t alignment);
/* Forget the object at `address` before it is freed or moved; OBJECT_NONE if it is not known. */
uint64_t log_forget(const void *address);
void log_free(uint64_t object);
/* `object` is now at `address`; OBJECT_NONE counts as a new object. */
void log_realloc(uint64_t object, const void *address, size_t bytes);
/* Undo log_forget: the block stayed. */
void log_remember(const void *address, uint64_t object);

bool shadow_init(void);
bool shadow_set(const void *address, uint64_t object);
uint64_t shadow_take(const void *address);
/* Call `visit` for every object; it returns the object's new name. Only for a lone thread. */
void shadow_rename(uint64_t (*visit)(void *address));

size_t next_usable_size(void *address);

#endif
