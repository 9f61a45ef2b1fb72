/* unwind.c - see unwind.h. */
#include "debug/unwind.h"

#include <unwind.h>

/* The image that we are in: the library's, or that of a program with us in it. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _etext[] __attribute__((visibility("hidden")));

/* libc's: what the kernel says of the program; and where its program headers are. */
unsigned long getauxval(unsigned long type);
#define AT_PHDR 3
#define HEADERS_BYTES 4096u

/* The unwinder's, which ends the process when it does not find its own caller. */
struct dwarf_eh_bases {
	void *text, *data, *function;
};
const void *_Unwind_Find_FDE(void *pc, struct dwarf_eh_bases *bases);

/* This function and leak_track. */
#define NR_INNERMOST 2u

struct walk {
	uintptr_t *pcs;
	unsigned int nr, max;
	unsigned int nr_skipped;
};

/* In a program's image our functions cannot be told. */
static bool is_library(void)
{
	static _Atomic int answer; /* 0: not known yet */

	if (!answer)
		answer = getauxval(AT_PHDR) - (uintptr_t)__ehdr_start < HEADERS_BYTES ? -1 : 1;
	return answer > 0;
}

static bool is_ours(uintptr_t pc)
{
	return is_library() && pc - (uintptr_t)__ehdr_start < (size_t)(_etext - __ehdr_start);
}

/* Our frames lie on top of each other in pcs[0] until there is one of the program's. */
static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *argument)
{
	struct walk *walk = argument;
	int is_exact = 0;
	uintptr_t pc = _Unwind_GetIPInfo(context, &is_exact);

	if (walk->nr_skipped < NR_INNERMOST) {
		walk->nr_skipped++;
		return _URC_NO_REASON;
	}
	if (!pc || walk->nr == walk->max)
		return _URC_NORMAL_STOP;
	if (walk->nr == 1 && is_ours(pc) && is_ours(walk->pcs[0]))
		walk->nr = 0;
	walk->pcs[walk->nr++] = pc + (is_exact != 0);
	return _URC_NO_REASON;
}

static _Atomic bool has_started;

void unwind_start(void)
{
	has_started = true;
}

/* In a static program not before libc knows of it. */
static bool can_unwind(void)
{
	static _Atomic bool known;
	struct dwarf_eh_bases bases;

	if (!known && (is_library() || has_started) &&
	    _Unwind_Find_FDE((char *)can_unwind + 1, &bases))
		known = true;
	return known;
}

__attribute__((noinline)) unsigned int unwind_stack(uintptr_t *pcs, unsigned int max)
{
	/* In a static program the unwinder allocates at its first use, under a lock. */
	static _Thread_local volatile bool is_inside __tls_initial_exec;
	struct walk walk = { .pcs = pcs, .max = max };

	if (is_inside)
		return 0;
	is_inside = true;
	if (can_unwind())
		_Unwind_Backtrace(add_frame, &walk);
	is_inside = false;
	return walk.nr;
}

struct search {
	uintptr_t function;
	bool is_next; /* the frame of the function was the one before */
	bool found;
	struct unwind_caller *caller;
};

/* DWARF's numbers. */
static const int preserved[] = { 3, 6, 12, 13, 14, 15 };

static _Unwind_Reason_Code look_for_caller(struct _Unwind_Context *context, void *argument)
{
	struct search *search = argument;

	if (!search->is_next) {
		search->is_next = _Unwind_GetRegionStart(context) == search->function;
		return _URC_NO_REASON;
	}
	for (size_t i = 0; i < ARRAY_SIZE(preserved); i++)
		search->caller->registers[i] = _Unwind_GetGR(context, preserved[i]);
	search->caller->stack_pointer = _Unwind_GetCFA(context);
	search->found = true;
	return _URC_NORMAL_STOP;
}

bool unwind_to_caller(uintptr_t function, struct unwind_caller *caller)
{
	struct search search = { .function = function, .caller = caller };

	if (can_unwind())
		_Unwind_Backtrace(look_for_caller, &search);
	return search.found;
}
