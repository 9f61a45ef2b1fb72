/* cache_tracks.c - see cache_tracks.h. */
#include "debug/cache_tracks.h"

#include <string.h>

#include "core/hooks.h"
#include "core/printk.h"
#include "debug/leak_stack.h"
#include "debug/leak_track.h"
#include "debug/unwind.h"

static bool has_depot;

/* unwind_stack leaves out the frame of its caller. */
static __attribute__((noinline)) struct alloc_track take(void)
{
	struct alloc_track track = { .tid = leak_own_tid() };
	uintptr_t pcs[STACK_MAX_FRAMES];
	unsigned int nr = has_depot ? unwind_stack(pcs, STACK_MAX_FRAMES) : 0;

	if (nr)
		track.stack = stack_depot_save(pcs, nr);
	return track;
}

static struct alloc_track look_up(const void *object)
{
	struct leak_record record = leak_record_of((uintptr_t)object);

	return (struct alloc_track){ .stack = record.stack, .tid = record.tid };
}

/* --- printing -------------------------------------------------------------------------------- */

static bool is_ours(uintptr_t pc, const char *our_module)
{
	struct symbol symbol;

	symbolise_module(pc, &symbol);
	return symbol.module && our_module && !strcmp(symbol.module, our_module);
}

/* The frames up to the function that the program has called are of this library. */
struct printing {
	const char *our_module;
	bool has_begun;
	unsigned int nr;
};

static bool print_frame(void *context, unsigned int number, uintptr_t pc,
			const struct symbol *symbol)
{
	struct printing *printing = context;

	(void)number;
	if (pc && !printing->has_begun && is_ours(pc, printing->our_module))
		return true;
	printing->has_begun = true;
	if (!pc)
		pr_err("    %s", symbol->function);
	else
		pr_err("    #%u 0x%zx%s%s (%s+0x%zx)", printing->nr++, (size_t)pc,
		       symbol->function ? " in " : "", symbol->function ? symbol->function : "",
		       symbol->module ? symbol->module : "?", (size_t)symbol->offset);
	return true;
}

/* Names are looked up by one thread at a time; whoever comes meanwhile does without. */
static void print(const struct alloc_track *track)
{
	static _Atomic bool is_printing;
	struct printing printing = { 0 };
	struct symbol own;

	if (atomic_exchange(&is_printing, true))
		return;
	symbolise_module((uintptr_t)print, &own);
	printing.our_module = own.module;
	leak_stack_visit(track->stack, print_frame, &printing);
	if (!printing.has_begun) { /* linked into the program */
		printing.has_begun = true;
		leak_stack_visit(track->stack, print_frame, &printing);
	}
	atomic_store(&is_printing, false);
}

void cache_tracks_init(bool wanted)
{
	if (leak_has_stacks())
		has_depot = true;
	else if (wanted && !has_depot)
		has_depot = stack_depot_init(0) && unwind_init();
	if (!wanted && !has_depot)
		return;
	track_ops.look_up = look_up;
	track_ops.print = print;
	track_ops.take = take;
}
