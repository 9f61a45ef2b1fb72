/* fault_inject.c - see fault_inject.h. */
#include "debug/fault_inject.h"

#include <string.h>

#include "base/glob.h"
#include "base/math.h"
#include "base/random.h"
#include "core/params.h"
#include "core/report.h"
#include "debug/leak_check.h"
#include "debug/stackdepot.h"
#include "debug/symbolise.h"
#include "debug/unwind.h"
#include "os/os.h"
#include "slab/size_class.h"

bool fault_injecting;

static _Atomic uint64_t lots;
static _Atomic uint64_t space_left, nr_candidates, nr_failed;

struct call_stack {
	unsigned int nr;
	uintptr_t pcs[STACK_MAX_FRAMES];
};

void fault_inject_init(void)
{
	if (!leak_check_means_program())
		return;
	symbolise_program_path();
	lots = params.fail_seed;
	space_left = params.fail_space;
	unwind_init();
	size_class_stop_malloc();
	fault_injecting = true;
}

size_t fault_inject_count(void)
{
	return atomic_load_explicit(&nr_failed, memory_order_relaxed);
}

/* --- by whom ---------------------------------------------------------------------------------- */

/* The mark at the end is no frame. */
static bool is_frame(const struct call_stack *stack, unsigned int i)
{
	return i < stack->nr && stack->pcs[i] != UNWIND_NO_INFORMATION;
}

/* "": in none. */
static const char *module_of(uintptr_t pc)
{
	struct symbol symbol;
	const char *slash;

	symbolise_module_lockless(pc, &symbol);
	slash = symbol.module ? strrchr(symbol.module, '/') : NULL;
	if (slash)
		return slash + 1;
	return symbol.module ? symbol.module : "";
}

static bool comes_from(const struct call_stack *stack, const char *modules)
{
	for (unsigned int i = 0; is_frame(stack, i); i++)
		if (glob_match_any(modules, module_of(stack->pcs[i] - 1)))
			return true;
	return false;
}

/* fail_stacktrace(). */
static bool stack_is_meant(const struct call_stack *stack)
{
	if (*params.fail_stack && !comes_from(stack, params.fail_stack))
		return false;
	return !*params.fail_not_stack || !comes_from(stack, params.fail_not_stack);
}

/* --- when ------------------------------------------------------------------------------------- */

static bool is_large_enough(size_t bytes)
{
	return !params.fail_min_order || bytes > PAGE_SIZE << (params.fail_min_order - 1);
}

/* True: the request is of those that come before any fails. */
static bool take_space(size_t bytes)
{
	uint64_t left = atomic_load_explicit(&space_left, memory_order_relaxed), rest;

	do {
		if (!left)
			return false;
		rest = left > bytes ? left - bytes : 0;
	} while (!atomic_compare_exchange_weak_explicit(&space_left, &left, rest,
							memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

/* The lots are only drawn where it depends on them. */
static bool lot_falls(void)
{
	uint64_t nr = atomic_fetch_add_explicit(&nr_candidates, 1, memory_order_relaxed) + 1;

	if (nr % params.fail_interval)
		return false;
	return params.fail == 100 || random_next(&lots) % 100 < params.fail;
}

/* Number of this failure, from 1; 0: there have been enough. */
static uint64_t take_turn(void)
{
	uint64_t nr = atomic_load_explicit(&nr_failed, memory_order_relaxed);

	do {
		if (params.fail_times && nr >= params.fail_times)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&nr_failed, &nr, nr + 1,
							memory_order_relaxed,
							memory_order_relaxed));
	return nr + 1;
}

/* --- the failure ------------------------------------------------------------------------------ */

/* `stitchmalloc symbolize` reads the frames. */
static void print_frames(struct report *report, const struct call_stack *stack)
{
	struct symbol symbol;

	for (unsigned int i = 0; is_frame(stack, i); i++) {
		symbolise_module_lockless(stack->pcs[i] - 1, &symbol);
		report_printf(report, "    #%u 0x%lx (%s+0x%lx)\n", i,
			      (unsigned long)stack->pcs[i] - 1,
			      symbol.module ? symbol.module : "no module",
			      (unsigned long)symbol.offset);
	}
}

static void print_failure(const char *who, size_t bytes, uint64_t number,
			  const struct call_stack *stack)
{
	struct report report;
	int fd = 2;

	report_init(&report, report_to_fd, &fd);
	report_printf(&report, "stitchmalloc: FAULT_INJECTION: forcing a failure: %s of %zu bytes, "
		      "number %lu, by thread %d\n", who, bytes, (unsigned long)number,
		      os_gettid());
	print_frames(&report, stack);
	report_finish(&report);
}

static bool needs_stack(void)
{
	return *params.fail_stack || *params.fail_not_stack || params.fail_verbose;
}

/* unwind_stack leaves out the frame of its caller. */
__attribute__((noinline)) bool fault_inject_hits(const char *who, size_t bytes, stitch_gfp_t flags)
{
	struct call_stack stack = { .nr = 0 };
	uint64_t number;

	if (gfp_scope & GFP_SCOPE_NO_FAULTS || flags & STITCH__GFP_NOFAIL ||
	    !is_large_enough(bytes) || take_space(bytes))
		return false;
	if (needs_stack() && gfp_may_wait(flags))
		stack.nr = unwind_stack(stack.pcs, STACK_MAX_FRAMES);
	if (!stack_is_meant(&stack) || !lot_falls())
		return false;
	number = take_turn();
	if (number && params.fail_verbose && gfp_may_wait(flags))
		print_failure(who, bytes, number, &stack);
	return number;
}
