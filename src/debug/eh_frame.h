/*
 * eh_frame.h - how to get from one address of code to its caller, as .eh_frame tells it.
 *
 * L7. A reader of .eh_frame_hdr, CIEs, FDEs and their programs. It reads nothing outside of the
 * range that it is given, whatever the bytes are; no lock, no memory of its own.
 *
 * The CFA of a frame is its caller's stack pointer at the return from the call.
 */
#ifndef DEBUG_EH_FRAME_H
#define DEBUG_EH_FRAME_H

#include "base/compiler.h"

struct eh_frame {
	uintptr_t start, end; /* what may be read: the segment that has .eh_frame and its table */
	uintptr_t table;      /* .eh_frame_hdr */
};

/* DWARF's numbers. */
enum { DWARF_RBP = 6, DWARF_RSP = 7, DWARF_RIP = 16 };

/* What a rule says: the CFA. The return address is below it in all kinds that have one. */
enum frame_kind {
	FRAME_UNKNOWN,	/* there is no information, or it is broken */
	FRAME_REGISTER, /* CFA = reg + offset */
	FRAME_LOADED,	/* CFA = *(reg + offset) + addend */
	FRAME_SIGNAL,	/* the kernel's, below a handler: what it has saved tells all */
	FRAME_OUTERMOST,
	FRAME_COMPLEX, /* there is information, beyond what a rule here can say */
};

enum saved_rbp {
	RBP_UNCHANGED,
	RBP_BELOW_CFA, /* *(CFA - rbp_below) */
	RBP_AT_RBP,    /* *rbp */
};

struct frame_rule {
	enum frame_kind kind;
	unsigned int reg;
	int64_t offset, addend;
	enum saved_rbp rbp;
	int64_t rbp_below;
};

/* Of the instruction that pc lies in: for a return address that is one byte before. */
struct frame_rule eh_frame_rule(const struct eh_frame *frame, uintptr_t pc);

#endif
