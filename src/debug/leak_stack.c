/* leak_stack.c - see leak_stack.h. */
#include "debug/leak_stack.h"

#include <string.h>

#include "base/math.h"
#include "core/params.h"
#include "debug/stack_name.h"
#include "debug/suppress.h"
#include "debug/symbolise.h"
#include "debug/unwind.h"

/*
 * In static programs, whose functions are not told from ours, or where the linker has dropped the
 * table of stack_name.h, functions have the symbol table's names: malloc jumps to malloc_detour,
 * operator new to new_slow, and so on.
 */
static const char *const entry_suffixes[] = { "_slow", "_detour", "_sampled" };

/* The function's length without the suffix; 0: it has none. */
static size_t length_of_entry(const char *function)
{
	const char *suffix = function ? strrchr(function, '_') : NULL;

	for (size_t i = 0; suffix && i < ARRAY_SIZE(entry_suffixes); i++)
		if (!strcmp(suffix, entry_suffixes[i]))
			return (size_t)(suffix - function);
	return 0;
}

/* There are two names for each of these; which one is found is up to the symbol table. */
static const char *const own_names[][2] = {
	{ "own_posix_memalign", "posix_memalign" },
	{ "own_new", "operator new(unsigned long)" },
	{ "own_new_array", "operator new[](unsigned long)" },
	{ "own_new_aligned", "operator new(unsigned long, std::align_val_t)" },
	{ "own_new_array_aligned", "operator new[](unsigned long, std::align_val_t)" },
};

static const char *without_alias(const char *function)
{
	for (size_t i = 0; function && i < ARRAY_SIZE(own_names); i++)
		if (!strcmp(function, own_names[i][0]))
			return own_names[i][1];
	return function;
}

static const char *without_suffix(const char *function)
{
	static char name[64];
	size_t length = length_of_entry(function);

	if (!length || length >= sizeof(name))
		return function;
	if (!strncmp(function, "new", 3))
		return "operator new";
	memcpy(name, function, length);
	name[length] = 0;
	return name;
}

/* --- frames ----------------------------------------------------------------------------------- */

struct frames {
	leak_frame_fn *fn;
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
		named.function = without_alias(without_suffix(symbol->function));
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
 * The outermost frames of a whole stack: two of libc and _start, or two of libc. Their names and
 * lines tell nothing, but to have them libc's debug information would be read, if it is installed:
 * 0.1 s. (dladdr would do, but for a lock of the loader's that a thread amid dlopen has.) NULL: the
 * frame is another.
 */
static const char *name_of_start(const uintptr_t *pcs, unsigned int nr, unsigned int number)
{
	bool of_thread = symbolise_is_libc(pcs[nr - 1] - 1);

	if (nr == STACK_MAX_FRAMES || number + 3 - of_thread < nr ||
	    !symbolise_is_libc(pcs[number] - 1))
		return NULL;
	return of_thread ? "(start of a thread)" : "(below main)";
}

/* A name that does not come from files. */
static const char *known_name(const uintptr_t *pcs, unsigned int nr, unsigned int number,
			      bool has_end)
{
	if (!number)
		return stack_name_of(pcs[0] - 1);
	return has_end ? name_of_start(pcs, nr, number) : NULL;
}

static void visit_known(struct frames *frames, const char *name)
{
	struct symbol symbol;

	symbolise_module(frames->pc, &symbol);
	symbol.function = name;
	visit_symbol(frames, &symbol);
}

/*
 * A return address is that of the next instruction: one byte before is the call. Returns whether fn
 * has seen all.
 */
static bool visit_frames(depot_stack_handle stack, leak_frame_fn *fn, void *context)
{
	struct frames frames = { .fn = fn, .context = context };
	unsigned int nr;
	const uintptr_t *pcs = fetch(stack, &nr);
	bool has_end = !has_mark(stack);

	for (unsigned int i = 0; i < nr && !frames.stopped; i++) {
		const char *name = known_name(pcs, nr, i, has_end);

		frames.pc = pcs[i] - 1;
		if (name)
			visit_known(&frames, name);
		else
			symbolise(frames.pc, visit_symbol, &frames);
	}
	return !frames.stopped;
}

/* For who names them elsewhere. */
static bool visit_places(depot_stack_handle stack, leak_frame_fn *fn, void *context)
{
	unsigned int nr;
	const uintptr_t *pcs = fetch(stack, &nr);
	struct symbol symbol;

	for (unsigned int i = 0; i < nr; i++) {
		symbolise_module(pcs[i] - 1, &symbol);
		if (!fn(context, i, pcs[i] - 1, &symbol))
			return false;
	}
	return true;
}

static void visit_mark(depot_stack_handle stack, leak_frame_fn *fn, void *context)
{
	static const struct symbol mark = { .function = "(no unwind information beyond this)" };
	unsigned int nr;

	fetch(stack, &nr);
	fn(context, nr, 0, &mark);
}

void leak_stack_visit(depot_stack_handle stack, leak_frame_fn *fn, void *context)
{
	bool complete = params.symbolize ? visit_frames(stack, fn, context) :
					   visit_places(stack, fn, context);

	if (complete && has_mark(stack))
		visit_mark(stack, fn, context);
}

/* --- rules ------------------------------------------------------------------------------------ */

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

static void look_again(void *unused, depot_stack_handle stack)
{
	uint32_t *note = stack_depot_note(stack);

	(void)unused;
	if (*note == NOTE_NO_RULE)
		*note = 0; /* of a rule that was used up, perhaps */
}

void leak_stacks_begin(void)
{
	static bool has_begun;

	suppress_begin();
	if (has_begun)
		stack_depot_visit(look_again, NULL);
	has_begun = true;
}

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
