/* leak_roots.c - see leak_roots.h. */
#include "debug/leak_roots.h"

#include <string.h>

#include "base/math.h"
#include "debug/kmemleak.h"
#include "debug/private_map.h"
#include "mm/emergency.h"
#include "mm/section.h"
#include "os/os.h"
#include "os/os_park.h"
#include "os/os_proc.h"

/* What a function may use below its stack pointer (System V ABI). */
#define RED_ZONE_BYTES 128u

/* Where glibc's thread control block points to itself, and to the DTV (tcbhead_t). */
struct thread_block {
	uintptr_t tcb, dtv, self;
};
#define THREAD_BLOCK_ALIGN 64u
/* Of struct pthread, in which the thread's number is looked for. */
#define THREAD_BLOCK_BYTES 1536u

struct roots {
	uintptr_t stack_pointer;
	unsigned int nr_parked;
	size_t tid_offset;	  /* of the number in struct pthread; 0: not found */
	uintptr_t unreadable_end; /* of the last mapping, if that was a guard */
};

/* What is ours in between is passed over. */
static void scan_programs_part(uintptr_t start, uintptr_t end)
{
	uintptr_t first, last;

	while (start < end && private_find(start, end, &first, &last)) {
		kmemleak_scan(start, first);
		start = last;
	}
	kmemleak_scan(start, end);
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

/* The lowest stack pointer of a thread in [start, end); else start. */
static uintptr_t stack_in_use(const struct roots *roots, uintptr_t start, uintptr_t end)
{
	uintptr_t lowest = end;

	if (roots->stack_pointer >= start && roots->stack_pointer < end)
		lowest = roots->stack_pointer;
	for (unsigned int i = 0; i < roots->nr_parked; i++) {
		uintptr_t pointer = os_parked[i].stack_pointer;

		if (pointer >= start && pointer < lowest)
			lowest = max_size(start, pointer - RED_ZONE_BYTES);
	}
	return lowest < end ? lowest : start;
}

/* Parts of the heap that cannot be read are the program's doing. */
static void visit_heap_mapping(const struct os_mapping *mapping)
{
	if (!mapping->readable && mapping->end > mm_map.base)
		kmemleak_forbid(mapping->start, mapping->end);
}

static bool may_hold_pointers(const struct os_mapping *mapping)
{
	if (!mapping->readable || !strncmp(mapping->name, "[v", 2)) /* [vdso], [vvar] */
		return false;
	return mapping->writable || mapping->anonymous;
}

/* --- threads that have ended ------------------------------------------------------------------ */

static bool is_thread_block(uintptr_t address)
{
	const struct thread_block *block = (const void *)address; // NOLINT

	return block->tcb == address && block->self == address;
}

/* Where struct pthread has its thread's number: as in our own. */
static size_t find_tid_offset(void)
{
	uintptr_t self = os_thread_pointer();
	int tid = os_gettid();

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

	if (tid > 0)
		return start;
	if (!tid)
		return block;
	/* Joined: there is only the DTV left, for the next thread. */
	kmemleak_hold(((const struct thread_block *)block)->dtv, true); // NOLINT
	return align_up(block + 1, PAGE_SIZE);
}

/*
 * glibc keeps the stacks of threads that have ended, for others. Nobody finds anything there but by
 * struct pthread, which has the result until somebody has asked for it. Returns where what is in
 * use begins.
 */
static uintptr_t skip_ended_thread(const struct roots *roots, uintptr_t start, uintptr_t end)
{
	uintptr_t address = align_up(start, THREAD_BLOCK_ALIGN), page = 0;
	unsigned char has_contents = 0;

	if (!roots->tid_offset || start != roots->unreadable_end)
		return start;
	for (; address + THREAD_BLOCK_BYTES <= end; address += THREAD_BLOCK_ALIGN) {
		if (address / PAGE_SIZE != page) {
			page = address / PAGE_SIZE;
			os_pages_with_contents(page * PAGE_SIZE, 1, &has_contents);
		}
		if (has_contents && is_thread_block(address))
			return in_use_from(roots, start, address);
	}
	return start;
}

/* --- mappings --------------------------------------------------------------------------------- */

static void scan_mapping(const struct roots *roots, uintptr_t start, uintptr_t end)
{
	uintptr_t from = stack_in_use(roots, start, end);

	scan_programs_part(from == start ? skip_ended_thread(roots, start, end) : from, end);
}

/* Mappings of ours and of the program's that are neighbours may be one. */
static void visit_mapping(void *context, const struct os_mapping *mapping)
{
	uintptr_t start = mapping->start, end = mapping->end;
	struct roots *roots = context;

	if (is_heap(start) && is_heap(end - 1)) {
		visit_heap_mapping(mapping);
		return;
	}
	if (may_hold_pointers(mapping)) {
		if (is_heap(start))
			start = heap_end();
		if (is_heap(end - 1))
			end = max_size(start, mm_map.reserve);
		scan_mapping(roots, start, end);
	}
	roots->unreadable_end = mapping->readable ? 0 : mapping->end;
}

int leak_roots_scan(uintptr_t stack_pointer, unsigned int nr_parked)
{
	struct roots roots = { .stack_pointer = stack_pointer, .nr_parked = nr_parked,
			       .tid_offset = find_tid_offset() };
	uintptr_t start, end;
	int error;

	for (unsigned int i = 0; i < nr_parked; i++)
		kmemleak_note_stack(os_parked[i].stack_pointer - RED_ZONE_BYTES);
	error = os_visit_mappings(visit_mapping, &roots);
	emergency_range(&start, &end);
	if (start < end)
		kmemleak_scan(start, end);
	return error;
}
