/*
 * orc.h - how to unwind from an address of code, in one word (the kernel's arch/x86 unwind_orc.c,
 * for code that comes and goes).
 *
 * L7. A table by address of what debug/eh_frame.h has read: filled as it is asked, never emptied.
 * No lock, and callable from signal handlers: a word is written and read as one.
 *
 * **Modules** are the program and its libraries as the loader has mapped them. One that is loaded
 * at the place of another is another module, and what was learned of the first is not used for it:
 * a word says of which module it is, and in every walk that one is looked at once before its words
 * count. What is never unloaded is known beforehand.
 */
#ifndef DEBUG_ORC_H
#define DEBUG_ORC_H

#include "base/compiler.h"
#include "debug/eh_frame.h"

#define ORC_MODULES 512u /* a program that has had more pays for reading each time */
#define ORC_PC_BITS 47u
#define ORC_INDEX_BITS 17u
#define ORC_TAG_BITS (ORC_PC_BITS - ORC_INDEX_BITS)

enum orc_kind {
	ORC_NONE,      /* an empty word */
	ORC_RSP,       /* CFA = rsp + 8 * cfa */
	ORC_RBP,       /* CFA = rbp + 8 * cfa */
	ORC_RSP_FAR,   /* CFA = rsp + orc_far(cfa) */
	ORC_REGISTER,  /* CFA = register `part` + 8 * near */
	ORC_AT_RSP,    /* CFA = *(rsp + 8 * near) + 8 * part */
	ORC_AT_RBP,    /* CFA = *(rbp + 8 * near) + 8 * part */
	ORC_SIGNAL,    /* the rest as in debug/eh_frame.h */
	ORC_OUTERMOST,
	ORC_COMPLEX,
	ORC_UNKNOWN,
	ORC_NO_TABLE, /* in no module, or in one that has no .eh_frame_hdr */
};

/* rbp: in units of 8 bytes below the CFA; but: */
#define ORC_RBP_UNCHANGED 0u
#define ORC_RBP_AT_RBP 63u

/* tag: what the place in the table does not say of the address. */
union orc {
	uint64_t word;
	struct {
		uint64_t tag : ORC_TAG_BITS;
		uint64_t module : 9; /* 0: of none, in no table */
		uint64_t kind : 4;
		int64_t cfa : 15;
		uint64_t rbp : 6;
	};
	struct {
		uint64_t before_near : ORC_TAG_BITS + 9 + 4;
		int64_t near : 11;
		uint64_t part : 4;
	};
};
_Static_assert(sizeof(union orc) == sizeof(uint64_t), "a rule is written at once");

/* Modules that are in place, in this walk. */
struct orc_walk {
	uint64_t known[ORC_MODULES / 64];
};

extern uint64_t *orc_table; /* words are read and written as one; NULL: no memory */

/* Once. False: no memory. */
bool orc_init(void);

/*
 * The process starts: nobody has called dlopen yet. What is loaded now stays.
 */
void orc_start(void);

void orc_begin(struct orc_walk *walk);

union orc orc_find_slow(struct orc_walk *walk, uintptr_t pc);

int64_t orc_far(union orc rule);

/* Place and tag together are the address. No tag is as long as an address that is none. */
static inline uint64_t orc_tag(uintptr_t pc)
{
	return pc >> ORC_INDEX_BITS;
}

static inline uint64_t *orc_place(uintptr_t pc)
{
	return &orc_table[(pc ^ pc >> ORC_INDEX_BITS) % (1u << ORC_INDEX_BITS)];
}

/* What is known already. False: orc_find has to find out. */
static inline bool orc_recall(const struct orc_walk *walk, uintptr_t pc, union orc *rule)
{
	rule->word = READ_ONCE(*orc_place(pc));
	return rule->tag == orc_tag(pc) &&
	       walk->known[rule->module / 64] >> rule->module % 64 & 1;
}

/* Of the instruction that pc lies in. */
static inline union orc orc_find(struct orc_walk *walk, uintptr_t pc)
{
	union orc rule;

	if (likely(orc_recall(walk, pc, &rule)))
		return rule;
	return orc_find_slow(walk, pc);
}

#endif
