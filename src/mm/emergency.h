/*
 * emergency.h - memory for those who must not wait for a lock.
 *
 * L3. Lock-free throughout: for threads that meet a closed gate (kmalloc/gate.h), and for signal
 * handlers that interrupt a slow path of their own thread. Objects are cut from the front of a
 * chunk of 64 KiB, one after the other; a chunk goes back when all its objects are freed, however
 * late. Larger objects take 2^order chunks of their own.
 *
 * Chunks come from a part of the reserve that nothing else uses, so that the address alone
 * tells whose an object is. It is opened as it is used, and its address space is never given back.
 *
 * Invariants: a chunk's `live` is the number of its live objects once it is closed for
 * allocation, and minus the number of freed ones before; it is recycled by whoever makes it 0
 * after the close, and is handed out again with 0.
 */
#ifndef MM_EMERGENCY_H
#define MM_EMERGENCY_H

#include "base/compiler.h"

/* [start, start + bytes): page-aligned, reserved, not opened. Called once, by the boot. */
void emergency_init(char *start, size_t bytes);

/* Not zeroed. align: a power of two, at least 16. NULL: the part is used up or cannot be opened. */
void *emergency_alloc(size_t bytes, size_t align);

/* The address lies in the part. */
bool emergency_contains(const void *address);

/* Usable bytes of a live object, > 0; 0 when none starts at this address (which is in the part). */
size_t emergency_size(const void *address);

/* False when no live object starts there. */
bool emergency_free(void *object);

/* Usable bytes of all live objects. */
size_t emergency_live(void);

/* Where objects may lie; nothing: start == end. */
void emergency_range(uintptr_t *start, uintptr_t *end);

#endif
