/*
 * leak_notes.h - what a program has said of its own leaks: objects to ignore, regions to look at.
 *
 * L7. Callable by any thread, not in signal handlers. Bounded: what finds no room has no effect,
 * and the call says so.
 */
#ifndef DEBUG_LEAK_NOTES_H
#define DEBUG_LEAK_NOTES_H

#include "base/compiler.h"

/* The object, and what it holds, is no leak, until it is freed. */
bool leak_note_ignored(const void *object);

/* Words there are roots. end: first byte behind it. False: no room; no such region. */
bool leak_note_region(uintptr_t start, uintptr_t end);
bool leak_forget_region(uintptr_t start, uintptr_t end);

/* What the thread allocates in between is no leak, and is looked at. Nests. leaks=full only. */
void leak_ignore_begin(void);
void leak_ignore_end(void);
bool leak_ignores_allocations(void);

/* During a scan: hold all of it. */
void leak_notes_scan(void);

#endif
