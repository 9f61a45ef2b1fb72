/*
 * kmemleak.h - which live objects nothing points to any more: the kernel's mm/kmemleak.c, with
 * Valgrind's kinds of leaks.
 *
 * L7. Every aligned word of a root, and of what is found by it, that is an address inside an object
 * holds this object. In this order:
 *
 *	kmemleak_begin
 *	kmemleak_scan, kmemleak_hold	for every root
 *	kmemleak_suppress		perhaps
 *	kmemleak_finish
 *	kmemleak_visit
 *	kmemleak_end
 *
 * Words that mean something else hold, too: the end of a block that is full what begins there
 * (leaks=full leaves a byte between), and the heap's beginning, which a thread amid malloc may have
 * in a register, the object there.
 *
 * The conditions of heap_objects.h hold throughout. Never allocates from the heap; a word of
 * worklist an object, mapped and touched as needed. Memory that has no frame is not touched, nor
 * any that cannot be read.
 */
#ifndef DEBUG_KMEMLEAK_H
#define DEBUG_KMEMLEAK_H

#include "debug/heap_objects.h"

/* What is known of an object; a higher one of the first five wins. */
enum leak_kind {
	LEAK_UNREACHED = OBJECT_LIVE, /* before kmemleak_finish only */
	LEAK_POSSIBLE,	 /* held, but the chain has a pointer into the middle of an object */
	LEAK_SUPPRESSED, /* known, or held by such a one */
	LEAK_REACHABLE,
	LEAK_LOADERS,  /* the loader's, and no business of the program's */
	LEAK_INDIRECT, /* held by lost ones only */
	LEAK_DEFINITE, /* held by nothing, or by what it holds itself */
	NR_LEAK_KINDS,
};

/*
 * keep_holders: remember what holds an object, at 8 bytes an object. still: nobody else runs, so
 * that no memory goes away meanwhile. False: no memory.
 */
bool kmemleak_begin(bool keep_holders, bool still);
void kmemleak_end(void);

/* What memory that is looked at is backed by. */
enum scan_backing {
	SCAN_ANONYMOUS, /* nothing */
	SCAN_OF_FILE,	/* a file, which may be cut off; or nobody knows */
	SCAN_SHARED,	/* the mapping is one that others may have */
	SCAN_SEALED,	/* a file, and nobody may write to it: what was written before counts */
};

/*
 * What tells which pages have contents, for os_pages_with_contents. Descriptors may be few: without
 * it all pages are taken to have some.
 */
int kmemleak_pagemap(void);
void kmemleak_close_pagemap(void);

/* Words in [start, end) hold what they point to. */
void kmemleak_scan(uintptr_t start, uintptr_t end, enum scan_backing backing);

/* The object that the address lies in is held. loaders: it is not counted, if it can be a DTV. */
void kmemleak_hold(uintptr_t address, bool loaders);

/* A stack pointer: of an object that it points into only what is above is looked at. At most 64. */
void kmemleak_note_stack(uintptr_t pointer);

/*
 * Ranges of the heap that the program has made unreadable: never looked at. False: too many, and
 * the kernel will not copy memory either.
 */
bool kmemleak_forbid(uintptr_t start, uintptr_t end);

/* Ask of every object that is not reachable whether it is known. */
typedef bool kmemleak_known_fn(const struct heap_object *object);
void kmemleak_suppress(kmemleak_known_fn *is_known);

/* Tell the lost ones apart. */
void kmemleak_finish(void);

struct leak {
	struct heap_object object;
	enum leak_kind kind;
	uint32_t owner;	  /* of LEAK_INDIRECT: index of the object that it is lost with */
	uintptr_t holder; /* address of a word that holds it; 0: nobody knows, or nothing does */
};

/* All live objects, lowest first. */
typedef void kmemleak_fn(void *context, const struct leak *leak);
void kmemleak_visit(kmemleak_fn *fn, void *context);

/* A number for whoever visits, of an object that is LEAK_DEFINITE. */
uint32_t *kmemleak_note(uint32_t index);

#endif
