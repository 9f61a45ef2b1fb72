/*
 * eh_frame.c - see eh_frame.h; the formats: LSB Core, Exception Frames, and DWARF 4, 6.4 and 2.5.
 *
 *	table -> FDE -> CIE, its program, the FDE's program up to the pc -> a row -> a rule
 *
 * Of a row only what leads to the caller's rip, rsp and rbp is kept.
 */
#include "debug/eh_frame.h"

#include <string.h>

/* --- bytes ------------------------------------------------------------------------------------ */

/* Reads 0 at and behind its end, and has failed then. */
struct cursor {
	uintptr_t at, end;
	bool failed;
};

static uintptr_t take(struct cursor *cursor, size_t bytes)
{
	uintptr_t at = cursor->at;

	if (bytes > cursor->end - at) {
		cursor->failed = true;
		cursor->at = cursor->end;
		return 0;
	}
	cursor->at += bytes;
	return at;
}

static uint64_t take_unsigned(struct cursor *cursor, size_t bytes)
{
	uintptr_t from = take(cursor, bytes);
	uint64_t value = 0;

	if (from)
		memcpy(&value, (const void *)from, bytes);
	return value;
}

static int64_t take_signed(struct cursor *cursor, size_t bytes)
{
	unsigned int unused = 64 - 8 * (unsigned int)bytes;

	return (int64_t)(take_unsigned(cursor, bytes) << unused) >> unused;
}

/* What does not fit into 64 bits is cut. */
static uint64_t take_leb(struct cursor *cursor, bool is_signed)
{
	uint64_t value = 0, byte;
	unsigned int shift = 0;

	do {
		byte = take_unsigned(cursor, 1);
		if (shift < 64)
			value |= (byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (is_signed && byte & 0x40 && shift < 64)
		value |= ~(uint64_t)0 << shift;
	return value;
}

static uint64_t take_uleb(struct cursor *cursor)
{
	return take_leb(cursor, false);
}

static int64_t take_sleb(struct cursor *cursor)
{
	return (int64_t)take_leb(cursor, true);
}

/* Of the next `bytes`; both go on from there. */
static struct cursor take_block(struct cursor *cursor, uint64_t bytes)
{
	uintptr_t from = take(cursor, bytes);

	return (struct cursor){ from, from ? from + bytes : 0, !from };
}

/* --- pointers --------------------------------------------------------------------------------- */

/* How a pointer is written: the lower half of the byte says how wide, the upper from where. */
enum {
	POINTER_ABSOLUTE = 0x00,
	POINTER_UDATA2 = 0x02,
	POINTER_UDATA4 = 0x03,
	POINTER_UDATA8 = 0x04,
	POINTER_SDATA2 = 0x0a,
	POINTER_SDATA4 = 0x0b,
	POINTER_SDATA8 = 0x0c,
	POINTER_WIDTH = 0x0f,
	POINTER_FROM_HERE = 0x10,
	POINTER_FROM_TABLE = 0x30,
	POINTER_BASE = 0x70,
	POINTER_OMITTED = 0xff,
};

static uint64_t take_width(struct cursor *cursor, unsigned int encoding)
{
	switch (encoding & POINTER_WIDTH) {
	case POINTER_ABSOLUTE:
	case POINTER_UDATA8:
	case POINTER_SDATA8:
		return take_unsigned(cursor, 8);
	case POINTER_UDATA2:
		return take_unsigned(cursor, 2);
	case POINTER_UDATA4:
		return take_unsigned(cursor, 4);
	case POINTER_SDATA2:
		return (uint64_t)take_signed(cursor, 2);
	case POINTER_SDATA4:
		return (uint64_t)take_signed(cursor, 4);
	}
	cursor->failed = true;
	return 0;
}

static uintptr_t take_pointer(struct cursor *cursor, unsigned int encoding, uintptr_t table)
{
	uintptr_t here = cursor->at;
	uintptr_t value = take_width(cursor, encoding);

	switch (encoding & ~(unsigned int)POINTER_WIDTH) {
	case POINTER_ABSOLUTE:
		return value;
	case POINTER_FROM_HERE:
		return here + value;
	case POINTER_FROM_TABLE:
		return table + value;
	}
	cursor->failed = true;
	return 0;
}

/* --- the table -------------------------------------------------------------------------------- */

struct table_entry {
	int32_t code, fde; /* from the table's start */
};

/*
 * The header that all linkers write: version, how three things are encoded, .eh_frame's address,
 * the number of entries.
 */
#define TABLE_ENCODINGS 0x3b031b01u

/* Which of the entries, sorted by code, is the last that begins at or before the pc. */
static const struct table_entry *search(const struct table_entry *entries, size_t nr, int64_t pc)
{
	size_t low = 0;

	while (nr > 1) {
		size_t half = nr / 2;

		if (entries[low + half].code <= pc)
			low += half;
		nr -= half;
	}
	return &entries[low];
}

/* 0: there is none. *is_complex: there may be one. */
static uintptr_t find_fde(const struct eh_frame *frame, uintptr_t pc, bool *is_complex)
{
	struct cursor cursor = { frame->table, frame->end, false };
	uint32_t encodings = (uint32_t)take_unsigned(&cursor, 4), nr;
	const struct table_entry *entry;

	*is_complex = !cursor.failed && encodings != TABLE_ENCODINGS;
	take(&cursor, 4);
	nr = (uint32_t)take_unsigned(&cursor, 4);
	if (cursor.failed || *is_complex || !nr || frame->table % sizeof(int32_t) ||
	    nr > (cursor.end - cursor.at) / sizeof(*entry))
		return 0;
	entry = search((const void *)cursor.at, nr, (int64_t)(pc - frame->table));
	return frame->table + (uintptr_t)(int64_t)entry->fde;
}

/* --- CIE and FDE ------------------------------------------------------------------------------ */

struct description {
	struct cursor cie_program, fde_program;
	uint64_t code_align;
	int64_t data_align;
	unsigned int encoding; /* of the FDE's pointers */
	uintptr_t code;	       /* where the FDE begins */
	uintptr_t table;
	bool has_augmentation; /* the FDE, too, has data of it */
	bool is_signal, is_complex;
};

/* Its contents: behind the length. */
static struct cursor open_record(const struct eh_frame *frame, uintptr_t address)
{
	struct cursor cursor = { address, frame->end, false };

	if (address < frame->start || address >= frame->end)
		return (struct cursor){ .failed = true };
	return take_block(&cursor, take_unsigned(&cursor, 4));
}

/* What stands behind a "z"; unknown letters end it, for the rest cannot be told. */
static void read_augmentation(struct description *description, const char *letters,
			      struct cursor data)
{
	for (; *letters && !data.failed; letters++) {
		unsigned int encoding;

		switch (*letters) {
		case 'R':
			description->encoding = (unsigned int)take_unsigned(&data, 1);
			break;
		case 'P':
			encoding = (unsigned int)take_unsigned(&data, 1);
			take_width(&data, encoding);
			break;
		case 'L':
			take(&data, 1);
			break;
		case 'S':
			description->is_signal = true;
			break;
		default:
			description->is_complex = true;
			return;
		}
	}
}

static bool read_cie(struct description *description, struct cursor cie)
{
	unsigned int version, return_column;
	const char *letters;
	size_t length;

	if (take_unsigned(&cie, 4) || cie.failed)
		return false;
	version = (unsigned int)take_unsigned(&cie, 1);
	letters = (const char *)cie.at;
	length = strnlen(letters, cie.end - cie.at);
	take(&cie, length + 1);
	description->code_align = take_uleb(&cie);
	description->data_align = take_sleb(&cie);
	return_column = (unsigned int)(version == 1 ? take_unsigned(&cie, 1) : take_uleb(&cie));
	if (cie.failed || (version != 1 && version != 3) || return_column != DWARF_RIP)
		return false;
	description->has_augmentation = *letters == 'z';
	if (description->has_augmentation)
		read_augmentation(description, letters + 1, take_block(&cie, take_uleb(&cie)));
	else
		description->is_complex = *letters;
	description->cie_program = cie;
	return !cie.failed;
}

/* False: the FDE is broken, or is not that of the pc. */
static bool read_fde(const struct eh_frame *frame, uintptr_t address, uintptr_t pc,
		     struct description *description)
{
	struct cursor fde = open_record(frame, address);
	uintptr_t here = fde.at, distance = take_unsigned(&fde, 4), bytes;

	*description = (struct description){ .table = frame->table };
	if (fde.failed || !distance || !read_cie(description, open_record(frame, here - distance)))
		return false;
	description->code = take_pointer(&fde, description->encoding, frame->table);
	bytes = take_width(&fde, description->encoding);
	if (fde.failed || pc - description->code >= bytes)
		return false;
	if (description->has_augmentation)
		take(&fde, take_uleb(&fde));
	description->fde_program = fde;
	return !fde.failed;
}

/* --- programs --------------------------------------------------------------------------------- */

enum saved {
	SAVED_NOT,
	SAVED_AT_CFA, /* at CFA + offset */
	SAVED_UNDEFINED,
	SAVED_AT_RBP,
	SAVED_OTHERWISE,
};

struct saved_register {
	enum saved how;
	int64_t offset;
};

struct row {
	unsigned int reg; /* CFA = reg + offset, unless there is an expression */
	int64_t offset;
	struct cursor expression; /* at == 0: none */
	struct saved_register rip, rsp, rbp;
};

#define MAX_REMEMBERED 8u

struct machine {
	const struct description *description;
	uintptr_t at; /* which address's row it is */
	struct row row, initial;
	struct row remembered[MAX_REMEMBERED];
	unsigned int nr_remembered;
	bool failed;
};

enum {
	CFA_ADVANCE = 0x40, /* these three have an operand in their low bits */
	CFA_OFFSET = 0x80,
	CFA_RESTORE = 0xc0,
	CFA_LOW_BITS = 0x3f,
	CFA_NOP = 0x00,
	CFA_SET_LOC,
	CFA_ADVANCE1,
	CFA_ADVANCE2,
	CFA_ADVANCE4,
	CFA_OFFSET_EXTENDED,
	CFA_RESTORE_EXTENDED,
	CFA_UNDEFINED,
	CFA_SAME_VALUE,
	CFA_IN_REGISTER,
	CFA_REMEMBER_STATE,
	CFA_RESTORE_STATE,
	CFA_DEF_CFA,
	CFA_DEF_CFA_REGISTER,
	CFA_DEF_CFA_OFFSET,
	CFA_DEF_CFA_EXPRESSION,
	CFA_EXPRESSION,
	CFA_OFFSET_EXTENDED_SF,
	CFA_DEF_CFA_SF,
	CFA_DEF_CFA_OFFSET_SF,
	CFA_VAL_OFFSET,
	CFA_VAL_OFFSET_SF,
	CFA_VAL_EXPRESSION,
	CFA_ARGS_SIZE = 0x2e, /* GNU's */
};

/* NULL: one that does not lead to the caller. */
static struct saved_register *saved_in(struct row *row, uint64_t reg)
{
	switch (reg) {
	case DWARF_RIP:
		return &row->rip;
	case DWARF_RSP:
		return &row->rsp;
	case DWARF_RBP:
		return &row->rbp;
	}
	return NULL;
}

static void save(struct machine *machine, uint64_t reg, enum saved how, int64_t offset)
{
	struct saved_register *saved = saved_in(&machine->row, reg);

	if (saved)
		*saved = (struct saved_register){ how, offset };
}

static void restore(struct machine *machine, uint64_t reg)
{
	struct saved_register *saved = saved_in(&machine->row, reg);

	if (saved)
		*saved = *saved_in(&machine->initial, reg);
}

/* May wrap: the number is the file's. */
static int64_t scaled(const struct machine *machine, uint64_t factor)
{
	return (int64_t)(factor * (uint64_t)machine->description->data_align);
}

/* Frames that are aligned by force keep rbp where it points to itself: "breg6 0". */
static enum saved saved_by_expression(struct cursor expression)
{
	return take_unsigned(&expression, 1) == 0x70 + DWARF_RBP && !take_sleb(&expression) &&
			       !expression.failed && expression.at == expression.end ?
		       SAVED_AT_RBP :
		       SAVED_OTHERWISE;
}

static void define_cfa(struct machine *machine, uint64_t reg, int64_t offset)
{
	machine->failed |= reg > DWARF_RIP;
	machine->row.reg = (unsigned int)reg;
	machine->row.offset = offset;
	machine->row.expression.at = 0;
}

static void remember(struct machine *machine)
{
	if (machine->nr_remembered < MAX_REMEMBERED)
		machine->remembered[machine->nr_remembered++] = machine->row;
	else
		machine->failed = true;
}

static void recall(struct machine *machine)
{
	if (machine->nr_remembered)
		machine->row = machine->remembered[--machine->nr_remembered];
	else
		machine->failed = true;
}

/* Those of the CFA, and of all registers at once. False: it is none of them. */
static bool run_on_cfa(struct machine *machine, unsigned int instruction, struct cursor *program)
{
	uint64_t reg;

	switch (instruction) {
	case CFA_REMEMBER_STATE:
		remember(machine);
		return true;
	case CFA_RESTORE_STATE:
		recall(machine);
		return true;
	case CFA_DEF_CFA:
		reg = take_uleb(program);
		define_cfa(machine, reg, (int64_t)take_uleb(program));
		return true;
	case CFA_DEF_CFA_SF:
		reg = take_uleb(program);
		define_cfa(machine, reg, scaled(machine, (uint64_t)take_sleb(program)));
		return true;
	case CFA_DEF_CFA_REGISTER:
		define_cfa(machine, take_uleb(program), machine->row.offset);
		return true;
	case CFA_DEF_CFA_OFFSET:
		define_cfa(machine, machine->row.reg, (int64_t)take_uleb(program));
		return true;
	case CFA_DEF_CFA_OFFSET_SF:
		define_cfa(machine, machine->row.reg,
			   scaled(machine, (uint64_t)take_sleb(program)));
		return true;
	case CFA_DEF_CFA_EXPRESSION:
		machine->row.expression = take_block(program, take_uleb(program));
		return true;
	}
	return false;
}

/* Those that say where one register is. False: it is none of them. */
static bool run_on_register(struct machine *machine, unsigned int instruction,
			    struct cursor *program)
{
	uint64_t reg;

	if (instruction < CFA_OFFSET_EXTENDED || instruction > CFA_VAL_EXPRESSION)
		return false;
	reg = take_uleb(program);
	switch (instruction) {
	case CFA_OFFSET_EXTENDED:
		save(machine, reg, SAVED_AT_CFA, scaled(machine, take_uleb(program)));
		return true;
	case CFA_OFFSET_EXTENDED_SF:
		save(machine, reg, SAVED_AT_CFA, scaled(machine, (uint64_t)take_sleb(program)));
		return true;
	case CFA_RESTORE_EXTENDED:
		restore(machine, reg);
		return true;
	case CFA_UNDEFINED:
		save(machine, reg, SAVED_UNDEFINED, 0);
		return true;
	case CFA_SAME_VALUE:
		save(machine, reg, SAVED_NOT, 0);
		return true;
	case CFA_IN_REGISTER:
	case CFA_VAL_OFFSET:
	case CFA_VAL_OFFSET_SF:
		take_uleb(program);
		save(machine, reg, SAVED_OTHERWISE, 0);
		return true;
	case CFA_EXPRESSION:
		save(machine, reg, saved_by_expression(take_block(program, take_uleb(program))),
		     0);
		return true;
	case CFA_VAL_EXPRESSION:
		take_block(program, take_uleb(program));
		save(machine, reg, SAVED_OTHERWISE, 0);
		return true;
	}
	return false;
}

static void advance(struct machine *machine, uint64_t units)
{
	machine->at += units * machine->description->code_align;
}

static void run_extended(struct machine *machine, unsigned int instruction,
			 struct cursor *program)
{
	switch (instruction) {
	case CFA_NOP:
		return;
	case CFA_SET_LOC:
		machine->at = take_pointer(program, machine->description->encoding,
					   machine->description->table);
		return;
	case CFA_ADVANCE1:
	case CFA_ADVANCE2:
	case CFA_ADVANCE4:
		advance(machine, take_unsigned(program, 1u << (instruction - CFA_ADVANCE1)));
		return;
	case CFA_ARGS_SIZE:
		take_uleb(program);
		return;
	}
	if (!run_on_cfa(machine, instruction, program) &&
	    !run_on_register(machine, instruction, program))
		machine->failed = true;
}

/* Up to the row of the pc, or to the program's end. */
static void run(struct machine *machine, struct cursor program, uintptr_t pc)
{
	while (program.at < program.end && machine->at <= pc && !machine->failed) {
		unsigned int instruction = (unsigned int)take_unsigned(&program, 1);
		unsigned int low = instruction & CFA_LOW_BITS;

		switch (instruction & ~CFA_LOW_BITS) {
		case CFA_ADVANCE:
			advance(machine, low);
			break;
		case CFA_OFFSET:
			save(machine, low, SAVED_AT_CFA, scaled(machine, take_uleb(&program)));
			break;
		case CFA_RESTORE:
			restore(machine, low);
			break;
		default:
			run_extended(machine, low, &program);
		}
		machine->failed |= program.failed;
	}
}

/* --- expressions ------------------------------------------------------------------------------ */

/*
 * They are computed without registers: a value is what must be done with them. That does for stubs
 * of the PLT, where it depends on the pc, for frames aligned by force, and for hand-written code
 * that keeps the old stack pointer on the stack.
 */
enum form { A_CONSTANT, A_REGISTER, A_LOADED };

struct value {
	enum form form;
	unsigned int reg;
	int64_t offset, addend; /* as in struct frame_rule; addend: the constant, too */
};

#define MAX_VALUES 8u

struct calculator {
	struct value values[MAX_VALUES + 1]; /* the first is below all */
	unsigned int nr;
	bool failed; /* or beyond it */
};

enum {
	OP_DEREF = 0x06,
	OP_CONST1U = 0x08,
	OP_CONST1S = 0x09,
	OP_AND = 0x1a,
	OP_PLUS = 0x22,
	OP_PLUS_UCONST = 0x23,
	OP_SHL = 0x24,
	OP_GE = 0x2a,
	OP_LIT0 = 0x30,
	OP_LIT31 = 0x4f,
	OP_BREG0 = 0x70,
	OP_BREG31 = 0x8f,
};

static void push(struct calculator *calculator, struct value value)
{
	calculator->failed |= calculator->nr == MAX_VALUES;
	if (!calculator->failed)
		calculator->values[++calculator->nr] = value;
}

static void push_constant(struct calculator *calculator, int64_t constant)
{
	push(calculator, (struct value){ .form = A_CONSTANT, .addend = constant });
}

static struct value pop(struct calculator *calculator)
{
	calculator->failed |= !calculator->nr;
	return calculator->values[calculator->nr ? calculator->nr-- : 0];
}

static struct value sum(struct value value, int64_t constant)
{
	int64_t *part = value.form == A_REGISTER ? &value.offset : &value.addend;

	*part = (int64_t)((uint64_t)*part + (uint64_t)constant);
	return value;
}

static void load(struct calculator *calculator)
{
	struct value value = pop(calculator);

	calculator->failed |= value.form != A_REGISTER;
	value.form = A_LOADED;
	push(calculator, value);
}

/* The second operand is a constant in all that compilers write. */
static void combine(struct calculator *calculator, unsigned int operation)
{
	struct value second = pop(calculator), first = pop(calculator);
	int64_t a = first.addend, b = second.addend;

	calculator->failed |= second.form != A_CONSTANT ||
			      (operation != OP_PLUS && first.form != A_CONSTANT);
	if (operation == OP_PLUS)
		push(calculator, sum(first, b));
	else if (operation == OP_AND)
		push_constant(calculator, a & b);
	else if (operation == OP_GE)
		push_constant(calculator, a >= b);
	else
		push_constant(calculator, (int64_t)((uint64_t)a << (b & 63)));
}

/* In the PLT the sum's second operand is the one computed last, so that it fits in here. */
static void calculate(struct calculator *calculator, struct cursor *expression, uintptr_t pc)
{
	unsigned int operation = (unsigned int)take_unsigned(expression, 1);

	if (operation >= OP_LIT0 && operation <= OP_LIT31)
		push_constant(calculator, operation - OP_LIT0);
	else if (operation == OP_BREG0 + DWARF_RIP)
		push_constant(calculator,
			      (int64_t)(pc + (uint64_t)take_sleb(expression)));
	else if (operation >= OP_BREG0 && operation < OP_BREG0 + DWARF_RIP)
		push(calculator, (struct value){ .form = A_REGISTER,
						 .reg = operation - OP_BREG0,
						 .offset = take_sleb(expression) });
	else if (operation == OP_CONST1U)
		push_constant(calculator, (int64_t)take_unsigned(expression, 1));
	else if (operation == OP_CONST1S)
		push_constant(calculator, take_signed(expression, 1));
	else if (operation == OP_PLUS_UCONST)
		push(calculator, sum(pop(calculator), (int64_t)take_uleb(expression)));
	else if (operation == OP_DEREF)
		load(calculator);
	else if (operation == OP_AND || operation == OP_PLUS || operation == OP_SHL ||
		 operation == OP_GE)
		combine(calculator, operation);
	else
		calculator->failed = true;
}

static void evaluate(struct frame_rule *rule, struct cursor expression, uintptr_t pc)
{
	struct calculator calculator = { .nr = 0 };
	struct value result;

	while (expression.at < expression.end && !calculator.failed) {
		calculate(&calculator, &expression, pc);
		calculator.failed |= expression.failed;
	}
	result = pop(&calculator);
	rule->kind = result.form == A_LOADED ? FRAME_LOADED : FRAME_REGISTER;
	rule->reg = result.reg;
	rule->offset = result.offset;
	rule->addend = result.form == A_LOADED ? result.addend : 0;
	if (calculator.failed || result.form == A_CONSTANT)
		rule->kind = FRAME_COMPLEX;
}

/* --- rules ------------------------------------------------------------------------------------ */

static void set_rbp(struct frame_rule *rule, const struct saved_register *rbp)
{
	if (rbp->how == SAVED_AT_CFA) {
		rule->rbp = RBP_BELOW_CFA;
		rule->rbp_below = (int64_t)(0 - (uint64_t)rbp->offset);
	} else if (rbp->how == SAVED_AT_RBP) {
		rule->rbp = RBP_AT_RBP;
	} else if (rbp->how == SAVED_OTHERWISE) {
		rule->kind = FRAME_COMPLEX;
	}
}

static struct frame_rule rule_of_row(const struct row *row, uintptr_t pc)
{
	struct frame_rule rule = { .kind = FRAME_REGISTER, .reg = row->reg,
				   .offset = row->offset };

	if (row->rip.how == SAVED_UNDEFINED)
		return (struct frame_rule){ .kind = FRAME_OUTERMOST };
	if (row->expression.at)
		evaluate(&rule, row->expression, pc);
	set_rbp(&rule, &row->rbp);
	if (row->rip.how != SAVED_AT_CFA || row->rip.offset != -8 || row->rsp.how != SAVED_NOT)
		rule.kind = FRAME_COMPLEX;
	return rule;
}

struct frame_rule eh_frame_rule(const struct eh_frame *frame, uintptr_t pc)
{
	struct description description;
	struct machine machine = { .description = &description };
	bool is_complex;
	uintptr_t fde = find_fde(frame, pc, &is_complex);

	if (is_complex)
		return (struct frame_rule){ .kind = FRAME_COMPLEX };
	if (!fde || !read_fde(frame, fde, pc, &description))
		return (struct frame_rule){ .kind = FRAME_UNKNOWN };
	if (description.is_complex || description.is_signal)
		return (struct frame_rule){ .kind = description.is_signal ? FRAME_SIGNAL :
									    FRAME_COMPLEX };
	run(&machine, description.cie_program, ~(uintptr_t)0);
	machine.at = description.code;
	machine.initial = machine.row;
	run(&machine, description.fde_program, pc);
	if (machine.failed)
		return (struct frame_rule){ .kind = FRAME_UNKNOWN };
	return rule_of_row(&machine.row, pc);
}
