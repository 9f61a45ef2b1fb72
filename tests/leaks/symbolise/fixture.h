/* fixture.h - places in code, and what the symboliser must say of them. */
#ifndef SYMBOLISE_FIXTURE_H
#define SYMBOLISE_FIXTURE_H

#include <stdint.h>

#define MAX_FRAMES 3

/* What the source says of a pc. Innermost function first. */
struct mark {
	uintptr_t pc; /* inside of an instruction */
	unsigned int nr_frames;
	struct {
		const char *name; /* a part of it, or all with its parameters if it has some */
		unsigned int line;
	} frames[MAX_FRAMES];
	int is_exported; /* the outermost function is in .dynsym */
	int is_cut;	 /* its name is too long */
};

#define MAX_MARKS 8

#ifdef __cplusplus
extern "C"
#endif
	/* Fills in the marks of this module; returns how many. */
	unsigned int
	fixture_marks(struct mark *marks);
typedef unsigned int fixture_marks_fn(struct mark *marks);

#endif
