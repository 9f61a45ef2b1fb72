/* leak_roots.c - see leak_roots.h. */
#include "debug/leak_roots.h"

#include <errno.h>
#include <string.h>

#include "base/math.h"
#include "debug/kmemleak.h"
#include "debug/private_map.h"
#include "mm/emergency.h"
#include "mm/section.h"
#include "os/os.h"
#include "os/os_park.h"
#include "os/os_proc.h"

/* Where glibc's thread control block points to itself, and to the DTV (tcbhead_t). */
struct thread_block {
	uintptr_t tcb, dtv, self;
};
#define THREAD_BLOCK_ALIGN 64u
/* Of struct pthread, in which things are looked for. */
#define THREAD_BLOCK_BYTES 2048u
/* Larger mappings are not looked through for thread control blocks. */
#define MAX_STACK_BYTES MIB(64)

struct roots {
	uintptr_t stack_pointer; /* of the calling thread */
	unsigned int nr_parked;
	size_t tid_offset; /* of the number in struct pthread; 0: not found */
	uintptr_t guard, guard_end; /* the last mapping, if it could not be read; else 0 */
};

/* What is ours in between is passed over. */
static void scan_programs_part(uintptr_t start, uintptr_t end, enum scan_backing backing)
{
	uintptr_t first, last;

	while (start < end && private_find(start, end, &first, &last)) {
		kmemleak_scan(start, first, backing);
		start = last;
	}
	kmemleak_scan(start, end, backing);
}

static enum scan_backing backing_of(const struct os_mapping *mapping)
{
	if (mapping->shared)
		return SCAN_SHARED;
	if (mapping->anonymous)
		return SCAN_ANONYMOUS;
	return mapping->writable ? SCAN_OF_FILE : SCAN_SEALED;
}

static uintptr_t heap_end(void)
{
	return mm_map.base + mm_map.nr_pages * PAGE_SIZE;
}

/* Where nothing is reserved the window's addresses are anybody's. */
static bool is_heap(uintptr_t address)
{
	return address >= mm_map.reserve && address < heap_end() &&
	       (address < mm_map.base || pfn_is_reserved((address - mm_map.base) >> PAGE_SHIFT));
}

/*
 * The block is of a stack that libc has mapped, together with its guard, and not of one that the
 * program has provided, which may use it again for something else.
 */
static bool is_libcs_stack(const struct roots *roots, uintptr_t block)
{
	const uintptr_t *words = (const void *)block; // NOLINT

	for (size_t i = 0; i < THREAD_BLOCK_BYTES / sizeof(*words); i++)
		if (words[i] == roots->guard)
			return true;
	return false;
}

/*
 * The mapping is the stack of one thread and nothing else, as libc makes them: the thread's control
 * block lies in it above its stack pointer, and there is a guard below.
 */
static bool is_stack_of(const struct roots *roots, const struct os_mapping *mapping,
			uintptr_t stack_pointer, uintptr_t thread_pointer)
{
	if (stack_pointer < mapping->start || stack_pointer >= mapping->end)
		return false;
	return !strcmp(mapping->name, "[stack]") ||
	       (mapping->start == roots->guard_end && thread_pointer > stack_pointer &&
		thread_pointer < mapping->end && is_libcs_stack(roots, thread_pointer));
}

/* Where the part of a stack begins that is in use; else where the mapping begins. */
static uintptr_t stack_in_use(const struct roots *roots, const struct os_mapping *mapping)
{
	if (is_stack_of(roots, mapping, roots->stack_pointer, os_thread_pointer()))
		return roots->stack_pointer;
	for (unsigned int i = 0; i < roots->nr_parked; i++)
		if (os_parked[i].tid && is_stack_of(roots, mapping, os_parked[i].stack_pointer,
						    os_parked[i].thread_pointer))
			return os_parked[i].stack_pointer;
	return mapping->start;
}

static bool may_hold_pointers(const struct os_mapping *mapping)
{
	if (!mapping->readable || !strncmp(mapping->name, "[v", 2)) /* [vdso], [vvar] */
		return false;
	return mapping->writable || mapping->anonymous || !mapping->shared;
}

/* The last descriptor is of more use here. */
static int visit_mappings(os_mapping_fn *fn, void *context)
{
	int error = os_visit_mappings(fn, context);

	if (error != -EMFILE && error != -ENFILE)
		return error;
	kmemleak_close_pagemap();
	return os_visit_mappings(fn, context);
}

/* --- threads that have ended ------------------------------------------------------------------ */

static bool is_thread_block(uintptr_t address)
{
	const struct thread_block *block = (const void *)address; // NOLINT

	return block->tcb == address && block->self == address;
}

/* Where struct pthread has its thread's number: as in our own. */
static size_t find_tid_offset(int tid)
{
	uintptr_t self = os_thread_pointer();

	for (size_t offset = sizeof(struct thread_block); offset < THREAD_BLOCK_BYTES;
	     offset += sizeof(int))
		if (*(const int *)(self + offset) == tid) // NOLINT
			return offset;
	return 0;
}

/* Of a stack with struct pthread at its top, in the last page. */
static uintptr_t in_use_from(const struct roots *roots, uintptr_t start, uintptr_t block)
{
	int tid = *(const int *)(block + roots->tid_offset); // NOLINT

	if (tid > 0 || !is_libcs_stack(roots, block))
		return start;
	if (!tid)
		return block;
	/* Joined: there is only the DTV left, for the next thread. */
	kmemleak_hold(((const struct thread_block *)block)->dtv, true); // NOLINT
	return align_up(block + 1, PAGE_SIZE);
}

/* A page with contents may be a guard (MADV_GUARD_INSTALL), or have a protection key. */
static uintptr_t find_block_in_page(uintptr_t page, uintptr_t end)
{
	if (!os_can_read(page))
		return end;
	for (uintptr_t at = page; at < page + PAGE_SIZE; at += THREAD_BLOCK_ALIGN)
		if (at + THREAD_BLOCK_BYTES <= end && is_thread_block(at) &&
		    os_can_read(at + THREAD_BLOCK_BYTES - 1))
			return at;
	return end;
}

/* The first thread control block in pages that have contents; end: there is none. */
static uintptr_t find_thread_block(uintptr_t start, uintptr_t end)
{
	static unsigned char map[OS_CONTENTS_MAX_PAGES / 8];

	for (uintptr_t page = start; page < end; page += PAGE_SIZE) {
		size_t i = (page - start) / PAGE_SIZE % OS_CONTENTS_MAX_PAGES;
		size_t nr_left = (end - page) / PAGE_SIZE;
		uintptr_t block = end;

		if (!i)
			os_pages_with_contents(kmemleak_pagemap(), page,
					       min_size(nr_left, OS_CONTENTS_MAX_PAGES),
					       OS_CONTENTS_PRIVATE, map);
		if (map[i / 8] >> i % 8 & 1)
			block = find_block_in_page(page, end);
		if (block < end)
			return block;
	}
	return end;
}

/*
 * glibc keeps the stacks of threads that have ended, for others. Nobody finds anything there but by
 * struct pthread, which has the result until somebody has asked for it. Returns where what is in
 * use begins.
 */
static uintptr_t skip_ended_thread(const struct roots *roots, const struct os_mapping *mapping)
{
	uintptr_t start = mapping->start, block;

	if (!roots->tid_offset || start != roots->guard_end || !mapping->writable ||
	    mapping->shared || mapping->end - start > MAX_STACK_BYTES)
		return start;
	block = find_thread_block(start, mapping->end);
	return block < mapping->end ? in_use_from(roots, start, block) : start;
}

/* --- mappings --------------------------------------------------------------------------------- */

/* Mappings of ours and of the program's that are neighbours may be one. */
static void scan_mapping(const struct roots *roots, const struct os_mapping *mapping)
{
	uintptr_t from = stack_in_use(roots, mapping), end = mapping->end;

	if (from == mapping->start)
		from = skip_ended_thread(roots, mapping);
	if (is_heap(from))
		from = heap_end();
	if (is_heap(end - 1))
		end = max_size(from, mm_map.reserve);
	scan_programs_part(from, end, backing_of(mapping));
}

static void visit_mapping(void *context, const struct os_mapping *mapping)
{
	struct roots *roots = context;

	if (is_heap(mapping->start) && is_heap(mapping->end - 1)) {
		roots->guard = roots->guard_end = 0;
		return;
	}
	if (may_hold_pointers(mapping))
		scan_mapping(roots, mapping);
	roots->guard = mapping->readable ? 0 : mapping->start;
	roots->guard_end = mapping->readable ? 0 : mapping->end;
}

int leak_roots_scan(uintptr_t stack_pointer, int tid, unsigned int nr_parked)
{
	struct roots roots = { .stack_pointer = stack_pointer, .nr_parked = nr_parked,
			       .tid_offset = find_tid_offset(tid) };
	uintptr_t start, end;
	int error;

	for (unsigned int i = 0; i < nr_parked; i++)
		kmemleak_note_stack(os_parked[i].stack_pointer);
	error = visit_mappings(visit_mapping, &roots);
	emergency_range(&start, &end);
	if (start < end)
		kmemleak_scan(start, end, SCAN_ANONYMOUS);
	return error;
}

/* --- the heap --------------------------------------------------------------------------------- */

struct unreadable {
	uintptr_t heap_end; /* of the last mapping of the heap; 0: there was none */
	int error;
};

static void forbid(struct unreadable *unreadable, uintptr_t start, uintptr_t end)
{
	if (start < end && end > mm_map.base && !kmemleak_forbid(start, end))
		unreadable->error = -E2BIG;
}

/*
 * Parts of the heap that cannot be read are the program's doing. So are those that are not there:
 * a copy of the process lacks what is marked MADV_DONTFORK.
 */
static void look_for_unreadable(void *context, const struct os_mapping *mapping)
{
	struct unreadable *unreadable = context;

	if (!is_heap(mapping->start) || !is_heap(mapping->end - 1))
		return;
	if (unreadable->heap_end && is_heap(unreadable->heap_end))
		forbid(unreadable, unreadable->heap_end, mapping->start);
	if (!mapping->readable)
		forbid(unreadable, mapping->start, mapping->end);
	unreadable->heap_end = mapping->end;
}

int leak_roots_begin(void)
{
	struct unreadable unreadable = { 0 };
	int error = visit_mappings(look_for_unreadable, &unreadable);

	return error ? error : unreadable.error;
}
