/* unwind.c - see unwind.h. */
#include "debug/unwind.h"

#include <string.h>
#include <unwind.h>

#include "debug/orc.h"
#include "os/os_proc.h"

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

/* unwind_stack and leak_track. */
#define NR_INNERMOST 2u

struct stack {
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

/* --- the stack that is collected -------------------------------------------------------------- */

/*
 * Our frames lie on top of each other in pcs[0] until there is one of the program's. False: there
 * is no room for more.
 */
static inline bool add_pc(struct stack *stack, uintptr_t pc)
{
	if (stack->nr_skipped) {
		stack->nr_skipped--;
		return true;
	}
	if (stack->nr == stack->max)
		return false;
	if (stack->nr == 1 && is_ours(pc) && is_ours(stack->pcs[0]))
		stack->nr = 0;
	stack->pcs[stack->nr++] = pc;
	return true;
}

static void add_mark(struct stack *stack)
{
	if (stack->nr && stack->nr < stack->max)
		stack->pcs[stack->nr++] = UNWIND_NO_INFORMATION;
}

/* --- libgcc's --------------------------------------------------------------------------------- */

static _Atomic bool has_started;

bool unwind_init(void)
{
	return orc_table || orc_init();
}

void unwind_start(bool is_first)
{
	has_started = true;
	if (is_first)
		orc_start();
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

uintptr_t unwind_function_of(uintptr_t pc)
{
	struct dwarf_eh_bases bases;

	/* In a static program libgcc takes a lock that a parked thread may have. */
	return is_library() && _Unwind_Find_FDE((void *)pc, &bases) ? // NOLINT
		       (uintptr_t)bases.function : 0;
}

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *argument)
{
	int is_exact = 0;
	uintptr_t pc = _Unwind_GetIPInfo(context, &is_exact);

	return pc && add_pc(argument, pc + (is_exact != 0)) ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

/* libgcc's begins with this function, which must have a frame, so. */
static __attribute__((noinline)) void collect_by_libgcc(struct stack *stack)
{
	stack->nr = 0;
	stack->nr_skipped = NR_INNERMOST + 1;
	_Unwind_Backtrace(add_frame, stack);
	barrier(); /* no tail call */
}

/* --- memory of the stack ---------------------------------------------------------------------- */

#define PAGE 4096u
/* What lies further off is another stack, or behind a large array. */
#define MAX_EXTENSION (64 * PAGE)

struct walk {
	struct orc_walk orc;
	/* Memory that can be read, with the frame's stack pointer in it. */
	uintptr_t low, high;
	bool moved; /* it is not the one that the walk began in */
	uintptr_t pc, rsp, rbp;
	bool is_exact;		    /* the pc was interrupted, and is no return address */
	uintptr_t registers;	    /* of code that was interrupted; 0: of a caller */
};

/*
 * The range of the thread's last walk: the first page's number << 28 | how many pages. One word,
 * for signal handlers walk, too. What was mapped then around the thread's stack pointer is mapped
 * now: stacks are unmapped as a whole, and not by who is on them.
 */
static _Thread_local uint64_t known_range __tls_initial_exec;
#define RANGE_BITS 28u

/* from <= to */
static bool can_read_pages(uintptr_t from, uintptr_t to)
{
	for (; from != to; from += PAGE)
		if (!os_can_read(from))
			return false;
	return true;
}

static __slow bool extend(struct walk *walk, uintptr_t address)
{
	uintptr_t start = address & -(uintptr_t)PAGE, end = start + PAGE;

	if (address % PAGE > PAGE - sizeof(uintptr_t))
		end += PAGE;
	if (end < start)
		return false;
	if (address >= walk->low && start <= walk->high + MAX_EXTENSION) {
		if (!can_read_pages(walk->high, end))
			return false;
		walk->high = end;
		return true;
	}
	if (!can_read_pages(start, end))
		return false;
	walk->low = start;
	walk->high = end;
	walk->moved = true;
	return true;
}

static inline bool can_read(struct walk *walk, uintptr_t address)
{
	return likely(address - walk->low <= walk->high - walk->low - sizeof(uintptr_t)) ||
	       extend(walk, address);
}

static __slow void begin_range(struct walk *walk)
{
	uintptr_t page = walk->rsp & -(uintptr_t)PAGE;

	/* The stack has grown, or it is another one. */
	if (page >= walk->low || walk->low - page > MAX_EXTENSION ||
	    !can_read_pages(page, walk->low))
		walk->high = page + PAGE;
	walk->low = page;
}

static inline void recall_range(struct walk *walk)
{
	walk->low = known_range >> RANGE_BITS << 12;
	walk->high = walk->low + ((known_range & ((1u << RANGE_BITS) - 1)) << 12);
	if (unlikely(walk->rsp - walk->low >= walk->high - walk->low))
		begin_range(walk);
}

static inline void keep_range(const struct walk *walk)
{
	uint64_t range = walk->low >> 12 << RANGE_BITS | (walk->high - walk->low) >> 12;

	if (unlikely(range != known_range) && !walk->moved)
		known_range = range;
}

/* Nothing says that it is aligned. */
static inline uintptr_t word_at(uintptr_t address)
{
	uintptr_t word;

	memcpy(&word, (const void *)address, sizeof(word));
	return word;
}

/* --- from frame to frame ---------------------------------------------------------------------- */

enum step { STEP_DONE, STEP_END, STEP_UNKNOWN, STEP_COMPLEX };

/* Where the kernel has put registers on the stack, by DWARF's numbers. */
#define CONTEXT_REGISTERS 40u /* in a ucontext */
static const unsigned char context_index[] = { 13, 12, 14, 11, 9, 8, 10, 15,
					       0,  1,  2,  3,  4, 5, 6,  7, 16 };

static inline uintptr_t interrupted(const struct walk *walk, unsigned int reg)
{
	return word_at(walk->registers + context_index[reg] * sizeof(uintptr_t));
}

static __slow enum step step_over_signal(struct walk *walk)
{
	uintptr_t registers = walk->rsp + CONTEXT_REGISTERS;
	uintptr_t last = registers + context_index[DWARF_RIP] * sizeof(uintptr_t);

	if (!can_read(walk, registers) || !can_read(walk, last))
		return STEP_UNKNOWN;
	walk->registers = registers;
	walk->pc = interrupted(walk, DWARF_RIP);
	walk->rsp = interrupted(walk, DWARF_RSP);
	walk->rbp = interrupted(walk, DWARF_RBP);
	walk->is_exact = true;
	return STEP_DONE;
}

static inline enum step step_to_caller(struct walk *walk, union orc rule, uintptr_t cfa)
{
	uintptr_t rbp_at = rule.rbp == ORC_RBP_AT_RBP ? walk->rbp : cfa - 8 * rule.rbp;

	/* On one stack callers lie higher; elsewhere is another stack. */
	if (unlikely(cfa <= walk->rsp && cfa - walk->low < walk->high - walk->low))
		return STEP_UNKNOWN;
	if (unlikely(!can_read(walk, cfa - 8)))
		return STEP_UNKNOWN;
	walk->pc = word_at(cfa - 8);
	/* gcc says that rbp points to itself one instruction too early; mostly nobody needs it. */
	if (rule.rbp != ORC_RBP_UNCHANGED)
		walk->rbp = likely(can_read(walk, rbp_at)) ? word_at(rbp_at) : 0;
	walk->rsp = cfa;
	walk->is_exact = false;
	walk->registers = 0;
	return STEP_DONE;
}

/* The CFA is what is there, but for `part`. */
static enum step step_by_memory(struct walk *walk, union orc rule, uintptr_t base)
{
	uintptr_t address = base + 8 * (uintptr_t)(int64_t)rule.near;

	if (!can_read(walk, address))
		return STEP_UNKNOWN;
	return step_to_caller(walk, rule, word_at(address) + 8 * (uintptr_t)rule.part);
}

static enum step step_by_register(struct walk *walk, union orc rule)
{
	uintptr_t base;

	if (!walk->registers)
		return STEP_COMPLEX;
	base = interrupted(walk, rule.part);
	return step_to_caller(walk, rule, base + 8 * (uintptr_t)(int64_t)rule.near);
}

/* In a static program libgcc has a registry of code that has no table. A library's is empty. */
static bool is_registered(uintptr_t pc)
{
	struct dwarf_eh_bases bases;

	return !is_library() && _Unwind_Find_FDE((void *)pc, &bases);
}

static __slow enum step step_otherwise(struct walk *walk, union orc rule)
{
	switch (rule.kind) {
	case ORC_RSP_FAR:
		return step_to_caller(walk, rule, walk->rsp + (uintptr_t)orc_far(rule));
	case ORC_REGISTER:
		return step_by_register(walk, rule);
	case ORC_AT_RSP:
		return step_by_memory(walk, rule, walk->rsp);
	case ORC_AT_RBP:
		return step_by_memory(walk, rule, walk->rbp);
	case ORC_SIGNAL:
		return step_over_signal(walk);
	case ORC_OUTERMOST:
		return STEP_END;
	case ORC_COMPLEX:
		return STEP_COMPLEX;
	case ORC_NO_TABLE:
		return is_registered(walk->pc) ? STEP_COMPLEX : STEP_UNKNOWN;
	}
	return STEP_UNKNOWN;
}

static inline enum step step(struct walk *walk)
{
	union orc rule = orc_find(&walk->orc, walk->pc - !walk->is_exact);

	if (likely(rule.kind == ORC_RSP))
		return step_to_caller(walk, rule, walk->rsp + 8 * (uintptr_t)(int64_t)rule.cfa);
	if (likely(rule.kind == ORC_RBP))
		return step_to_caller(walk, rule, walk->rbp + 8 * (uintptr_t)(int64_t)rule.cfa);
	return step_otherwise(walk, rule);
}

/*
 * The same for callers with the commonest rules, on memory that is known, with all in registers:
 * time is what it takes from one return address to the next. The rest is left.
 */
static inline void collect_quickly(struct walk *walk, struct stack *stack)
{
	uintptr_t pc = walk->pc, rsp = walk->rsp, rbp = walk->rbp;
	uintptr_t low = walk->low, high = walk->high;
	unsigned int nr = stack->nr;
	union orc rule;

	while (nr < stack->max && orc_recall(&walk->orc, pc - 1, &rule) &&
	       (rule.kind == ORC_RSP || rule.kind == ORC_RBP)) {
		uintptr_t base = rule.kind == ORC_RSP ? rsp : rbp;
		uintptr_t cfa = base + 8 * (uintptr_t)(int64_t)rule.cfa;
		uintptr_t rbp_at = cfa - 8 * rule.rbp;

		if (unlikely(cfa < rsp + 8 || cfa > high || rbp_at < low ||
			     rule.rbp == ORC_RBP_AT_RBP))
			break;
		stack->pcs[nr++] = pc;
		pc = word_at(cfa - 8);
		if (rule.rbp != ORC_RBP_UNCHANGED)
			rbp = word_at(rbp_at);
		rsp = cfa;
	}
	walk->pc = pc;
	walk->rsp = rsp;
	walk->rbp = rbp;
	stack->nr = nr;
}

static inline enum step collect(struct walk *walk, struct stack *stack)
{
	enum step result = STEP_DONE;

	while (result == STEP_DONE) {
		/* From the second on they are the program's. */
		if (stack->nr > 1 && !walk->is_exact && walk->rsp >= walk->low)
			collect_quickly(walk, stack);
		if (!walk->pc || !add_pc(stack, walk->pc + walk->is_exact))
			break;
		result = step(walk);
	}
	return result;
}

static inline enum step collect_by_table(struct walk *walk, struct stack *stack)
{
	enum step result;

	orc_begin(&walk->orc);
	recall_range(walk);
	result = collect(walk, stack);
	keep_range(walk);
	if (result == STEP_UNKNOWN)
		add_mark(stack);
	return result;
}

/* Where this is. */
static __inline_always void begin_here(struct walk *walk)
{
	__asm__ volatile("lea 0(%%rip), %0\n\t"
			 "mov %%rsp, %1\n\t"
			 "mov %%rbp, %2"
			 : "=&r"(walk->pc), "=&r"(walk->rsp), "=r"(walk->rbp));
	walk->is_exact = true;
	walk->moved = false;
	walk->registers = 0;
}

__attribute__((noinline)) unsigned int unwind_stack(uintptr_t *pcs, unsigned int max)
{
	/* In a static program libgcc allocates at its first use, under a lock. */
	static _Thread_local volatile bool is_inside __tls_initial_exec;
	struct stack stack = { .pcs = pcs, .max = max, .nr_skipped = NR_INNERMOST };
	enum step result = STEP_COMPLEX;
	struct walk walk;

	if (is_inside)
		return 0;
	is_inside = true;
	if (can_unwind()) {
		if (likely(orc_table)) {
			begin_here(&walk);
			result = collect_by_table(&walk, &stack);
		}
		if (result == STEP_COMPLEX)
			collect_by_libgcc(&stack);
	}
	is_inside = false;
	return stack.nr;
}

/* --- the caller of a function ----------------------------------------------------------------- */

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
