/*
 * leak_roots.h - all memory from which a program can find its objects, scanned (kmemleak.h).
 *
 * L7. Every writable mapping that is not ours, of thread stacks only what is in use, registers,
 * what the loader keeps of a thread's TLS. Other threads are parked (os/os_park.h).
 */
#ifndef DEBUG_LEAK_ROOTS_H
#define DEBUG_LEAK_ROOTS_H

#include "base/compiler.h"

/*
 * Which parts of the heap cannot be read: before anything is scanned. 0; -E2BIG: too many;
 * or as leak_roots_scan.
 */
int leak_roots_begin(void);

/*
 * stack_pointer, tid: of the calling thread: what lies below is ours. In a copy of the process the
 * number is that of the thread that was copied. nr_parked: as os_park said. 0 or -errno: the
 * mappings cannot be found out.
 */
int leak_roots_scan(uintptr_t stack_pointer, int tid, unsigned int nr_parked);

#endif
