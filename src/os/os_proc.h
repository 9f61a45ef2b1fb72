/*
 * os_proc.h - the contract of what the kernel tells of the process itself, from /proc and without.
 *
 * L1. As os.h: 0, a count where said, or -errno; errno untouched. /proc may be missing (chroot) or
 * forbidden (a filter): every call can fail.
 */
#ifndef OS_OS_PROC_H
#define OS_OS_PROC_H

#include "base/compiler.h"

/* A line of /proc/self/maps. */
struct os_mapping {
	uintptr_t start, end;
	bool readable, writable;
	bool shared;
	bool anonymous; /* of no file */
	const char *name; /* path, [stack], ... or ""; during the call */
};

typedef void os_mapping_fn(void *context, const struct os_mapping *mapping);

/* Call fn for every mapping, lowest first. Mappings that are made meanwhile may be missed. */
int os_visit_mappings(os_mapping_fn *fn, void *context);

/* /proc/self/maps as it is, in pieces; fn returns 0 to go on. */
typedef int os_text_fn(void *context, const char *text, size_t bytes);
int os_read_maps(os_text_fn *fn, void *context);

/* Call fn for every thread of the process, with the number that /proc has for it. */
typedef void os_thread_fn(void *context, int tid);
int os_visit_threads(os_thread_fn *fn, void *context);
/* The number that the thread itself knows: another one if /proc is of an outer PID namespace. */
int os_tid_of_listed(int listed);
/* It is still listed, but runs no more: the first thread, when it has ended before others. */
bool os_thread_has_ended(int tid);
/* It blocks the signal at the moment, or waits for signals by sigwait or its kin. */
bool os_thread_blocks(int tid, int signal_number);
/* Of a thread that is asleep in the kernel; else 0. */
uintptr_t os_thread_stack_pointer(int tid);

/*
 * A descriptor of /proc/thread-self/pagemap, to be closed; a child has to open its own. -errno:
 * os_pages_with_contents takes it for one that tells nothing.
 */
int os_open_pagemap(void);

/* Of what kind of mapping pages are asked for. */
enum os_contents {
	OS_CONTENTS_PRIVATE, /* in memory or swapped out; all, where it cannot be told */
	OS_CONTENTS_SHARED,  /* in memory; others are not known; all, where it cannot be told */
	OS_CONTENTS_COPIES,  /* private, of a file: what differs from it; none, where it cannot */
};

/*
 * Which pages have contents: bit i % 8 of map[i / 8] is set if page i of the range has. True when
 * all that have are known to be in memory.
 */
#define OS_CONTENTS_MAX_PAGES 4096u
bool os_pages_with_contents(int pagemap, uintptr_t address, size_t nr_pages, enum os_contents kind,
			    unsigned char *map);

/*
 * Copy memory of the process that may be gone or not be readable. How many bytes from the first on
 * could be copied, or -errno.
 */
long os_read_memory(uintptr_t from, void *to, size_t bytes);

/* The 8 bytes there are mapped and may be read. By a call that no filter forbids. */
bool os_can_read(uintptr_t address);

/* A file to be written to, made if need be; text goes behind what is in it. The descriptor. */
int os_open_log(const char *path, bool empty_it);
void os_close(int fd);

/* The path of the program, without a terminating 0. The number of bytes. */
long os_read_executable(char *path, size_t bytes);

/* The address that the thread's TLS is found by. */
static inline uintptr_t os_thread_pointer(void)
{
	uintptr_t self;

	__asm__("mov %%fs:0, %0" : "=r"(self));
	return self;
}

#endif
