/* leak_stack.c - see leak_stack.h. */
#include "debug/leak_stack.h"

#include <string.h>

#include "base/math.h"
#include "core/params.h"
#include "debug/heap_objects.h"
#include "debug/suppress.h"
#include "debug/symbolise.h"
#include "debug/unwind.h"

/* malloc jumps to malloc_slow, operator new to new_slow, and so on: they have no frames. */
#define ENTRY_SUFFIX "_slow"

/* Our own names of exported functions: which of two symbols is found cannot be told beforehand. */
static const char *const exported_as[][2] = {
	{ "own_new", "operator new(unsigned long)" },
	{ "own_new_array", "operator new[](unsigned long)" },
	{ "own_new_aligned", "operator new(unsigned long, std::align_val_t)" },
	{ "own_new_array_aligned", "operator new[](unsigned long, std::align_val_t)" },
};

static const char *exported_name(const char *function)
{
	for (size_t i = 0; i < ARRAY_SIZE(exported_as) && function; i++)
		if (!strcmp(function, exported_as[i][0]))
			return exported_as[i][1];
	return function;
}

static const char *name_for_program(const char *function)
{
	static char name[64];
	size_t length = function ? strlen(function) : 0;
	size_t kept = length - min_size(length, strlen(ENTRY_SUFFIX));

	if (!kept || length >= sizeof(name) || strcmp(function + kept, ENTRY_SUFFIX) != 0)
		return exported_name(function);
	if (!strncmp(function, "new", 3))
		return "operator new";
	memcpy(name, function, kept);
	name[kept] = 0;
	return name;
}

/* --- frames ----------------------------------------------------------------------------------- */

/* Return false to stop. number: of the frame in the stack, inlined ones counted. */
typedef bool frame_fn(void *context, unsigned int number, uintptr_t pc,
		      const struct symbol *symbol);

struct frames {
	frame_fn *fn;
	void *context;
	unsigned int number;
	uintptr_t pc;
	bool stopped;
};

static void visit_symbol(void *context, const struct symbol *symbol)
{
	struct frames *frames = context;
	struct symbol named = *symbol;

	if (frames->stopped || (!frames->number && symbol->inlined))
		return; /* what of ours is inlined into an entry point is nobody's business */
	if (!frames->number)
		named.function = name_for_program(symbol->function);
	frames->stopped = !frames->fn(frames->context, frames->number++, frames->pc, &named);
}

/* Those that have an address: all but the mark. */
static const uintptr_t *fetch(depot_stack_handle stack, unsigned int *nr)
{
	const uintptr_t *pcs = stack_depot_fetch(stack, nr);

	*nr -= *nr && pcs[*nr - 1] == UNWIND_NO_INFORMATION;
	return pcs;
}

static bool has_mark(depot_stack_handle stack)
{
	unsigned int nr_all, nr;

	stack_depot_fetch(stack, &nr_all);
	fetch(stack, &nr);
	return nr < nr_all;
}

/*
 * A return address is that of the next instruction: one byte before is the call. Returns whether fn
 * has seen all.
 */
static bool visit_frames(depot_stack_handle stack, frame_fn *fn, void *context)
{
	struct frames frames = { .fn = fn, .context = context };
	unsigned int nr;
	const uintptr_t *pcs = fetch(stack, &nr);

	for (unsigned int i = 0; i < nr && !frames.stopped; i++) {
		frames.pc = pcs[i] - 1;
		symbolise(frames.pc, visit_symbol, &frames);
	}
	return !frames.stopped;
}

/* --- printing --------------------------------------------------------------------------------- */

static bool print_frame(void *context, unsigned int number, uintptr_t pc,
			const struct symbol *symbol)
{
	struct report *report = context;

	report_printf(report, "    #%u 0x%zx", number, pc);
	if (symbol->function)
		report_printf(report, " in %s", symbol->function);
	if (symbol->file)
		report_printf(report, " %s:%u", symbol->file, symbol->line);
	if (symbol->module)
		report_printf(report, " (%s+0x%zx)\n", symbol->module, symbol->offset);
	else
		report_printf(report, " (in no module: unloaded, or made at run time)\n");
	return !symbol->function || strcmp(symbol->function, "main") != 0;
}

/* For who resolves the report elsewhere. */
static bool print_places(struct report *report, depot_stack_handle stack)
{
	unsigned int nr;
	const uintptr_t *pcs = fetch(stack, &nr);
	struct symbol symbol;
	char id[64];

	for (unsigned int i = 0; i < nr; i++) {
		symbolise_module(pcs[i] - 1, &symbol);
		report_printf(report, "    #%u 0x%zx (%s+0x%zx)", i, pcs[i] - 1,
			      symbol.module ? symbol.module : "?", symbol.offset);
		if (symbolise_build_id(pcs[i] - 1, id, sizeof(id)))
			report_printf(report, " (BuildId: %s)", id);
		report_printf(report, "\n");
	}
	return true;
}

void leak_stack_print(struct report *report, depot_stack_handle stack)
{
	bool complete = params.symbolize ? visit_frames(stack, print_frame, report) :
					   print_places(report, stack);

	if (complete && has_mark(stack))
		report_printf(report, "    (no unwind information beyond this)\n");
}

/* Of the function that allocates only the name counts: its file and library are ours. */
static struct suppress_frame frame_of(const struct symbol *symbol, unsigned int number)
{
	if (!number)
		return (struct suppress_frame){ .function = symbol->function };
	return (struct suppress_frame){ symbol->function, symbol->file, symbol->module };
}

/*
 * Where the program's own function has no name a rule would name its callers, up to libc's, and
 * with them every leak of the program.
 */
static bool print_rule(void *context, unsigned int number, uintptr_t pc,
		       const struct symbol *symbol)
{
	struct suppress_frame frame = frame_of(symbol, number);

	(void)pc;
	if (suppress_print_rule(context, &frame))
		return false;
	if (symbol->function)
		return true;
	report_printf(context, "# no rule: a function of %s has no name\n",
		      symbol->module ? symbol->module : "no module");
	return false;
}

void leak_stack_print_rule(struct report *report, depot_stack_handle stack)
{
	visit_frames(stack, print_rule, report);
}

void leak_holder_print(struct report *report, uintptr_t holder)
{
	struct heap_object object;

	if (heap_object_at(holder, &object))
		report_printf(report, ", held by 0x%zx in the object at 0x%zx", holder,
			      object.start);
	else
		report_printf(report, ", held by 0x%zx outside the heap", holder);
}

/* --- rules ------------------------------------------------------------------------------------ */

static bool match_frame(void *context, unsigned int number, uintptr_t pc,
			const struct symbol *symbol)
{
	struct suppress_frame frame = frame_of(symbol, number);

	(void)pc;
	suppress_match_frame(context, &frame);
	return true;
}

static struct suppress_rule *match(depot_stack_handle stack)
{
	static struct suppress_match state;

	suppress_match_begin(&state, 1);
	visit_frames(stack, match_frame, &state);
	return suppress_match_end(&state);
}

/* Stacks are looked at once; only those of a rule that is used up need another one. */
#define NOTE_NO_RULE UINT32_MAX

bool leak_stack_is_known(depot_stack_handle stack, size_t bytes)
{
	uint32_t *note = stack_depot_note(stack);
	struct suppress_rule *rule;

	if (*note == NOTE_NO_RULE)
		return false;
	if (*note && suppress_take(*note, bytes))
		return true;
	rule = match(stack);
	*note = rule ? suppress_number(rule) : NOTE_NO_RULE;
	return rule && suppress_take(*note, bytes);
}
