/*
 * calls.h - the entry points under test behind one door, and the faults planted behind it.
 *
 * A planted fault is what a broken allocator would do, once in SABOTAGE_PERIOD calls that it can
 * spoil. The fuzz plants each of them in a child of its own before every run and fails when it
 * does not see one: a blind fuzz proves nothing. Planted faults run single-threaded.
 */
#ifndef TESTS_FUZZ_CALLS_H
#define TESTS_FUZZ_CALLS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../stitch_api.h"

enum call {
	CALL_MALLOC,
	CALL_CALLOC,
	CALL_REALLOC_NULL,
	CALL_REALLOCARRAY_NULL,
	CALL_POSIX_MEMALIGN,
	CALL_ALIGNED_ALLOC,
	CALL_MEMALIGN,
	CALL_VALLOC,
	CALL_PVALLOC,
	CALL_REALLOC,
	CALL_REALLOCARRAY,
	CALL_FREE,
	CALL_FREE_SIZED,
	CALL_FREE_ALIGNED_SIZED,
	CALL_REALLOC_ZERO,
	CALL_EXCHANGE, /* not a call: the block went to another thread and another came back */
	NR_CALLS,
};

static const char *const call_names[NR_CALLS] = {
	"malloc",      "calloc",	"realloc(NULL)", "reallocarray(NULL)",
	"posix_memalign", "aligned_alloc", "memalign",	 "valloc",
	"pvalloc",     "realloc",	"reallocarray",	 "free",
	"free_sized",  "free_aligned_sized", "realloc(p, 0)", "exchange",
};

enum sabotage {
	SABOTAGE_NONE,
	SABOTAGE_TWICE,	       /* a live block is handed out again */
	SABOTAGE_LONG,	       /* the usable size reaches into the next block */
	SABOTAGE_STOMP,	       /* a byte of a live block changes */
	SABOTAGE_DIRTY,	       /* calloc forgets a byte */
	SABOTAGE_MISALIGNED,   /* an address that is 8 bytes off */
	SABOTAGE_ALIGN,	       /* memalign forgets its alignment */
	SABOTAGE_LOST,	       /* realloc loses the last byte */
	SABOTAGE_SHORT,	       /* the usable size is below what was asked for */
	SABOTAGE_UNSTABLE,     /* the usable size changes during the block's life */
	SABOTAGE_REFUSE,       /* NULL although there is memory */
	SABOTAGE_ACCEPT,       /* a size above PTRDIFF_MAX is served */
	SABOTAGE_ERRNO,	       /* a call that succeeds changes errno */
	SABOTAGE_ERRNO_FREE,   /* free changes errno */
	SABOTAGE_ERRNO_SILENT, /* a call that fails leaves errno alone */
	SABOTAGE_LEAK,	       /* free forgets a block */
	SABOTAGE_CRASH,
	NR_SABOTAGES,
};

static const char *const sabotage_names[NR_SABOTAGES] = {
	"none",	 "twice",    "long",   "stomp",	 "dirty", "misaligned", "align",	"lost",
	"short", "unstable", "refuse", "accept", "errno", "errno-free", "errno-silent", "leak",
	"crash",
};

#define SABOTAGE_PERIOD 500

static enum sabotage sabotage;
static unsigned long sabotage_clock;
static unsigned char *sabotage_victim; /* the last small block handed out, while it lives */

static inline bool sabotage_now(enum sabotage which)
{
	unsigned long period = which == SABOTAGE_LEAK ? SABOTAGE_PERIOD / 16 : SABOTAGE_PERIOD;

	return sabotage == which && ++sabotage_clock % period == 0;
}

static inline void sabotage_forget(const void *block)
{
	if (sabotage && block == sabotage_victim)
		sabotage_victim = NULL;
}

/*
 * The same size from malloc. That may be aligned by chance, and so no fault: about one in six is,
 * and seeds were found that planted no other. Then the next call that can be spoilt is.
 */
static inline void *sabotage_unalign(size_t align, size_t bytes, unsigned char *block)
{
	unsigned char *unaligned = stitch_malloc(bytes);

	if (unaligned && (uintptr_t)unaligned % align == 0) {
		sabotage_clock--;
		stitch_free(unaligned);
		return block;
	}
	stitch_free(block);
	return unaligned;
}

static inline void *sabotage_spoil(enum call call, size_t align, size_t bytes, unsigned char *block)
{
	unsigned char *victim = sabotage_victim;

	if (!block) {
		if (sabotage == SABOTAGE_ERRNO_SILENT)
			errno = 0;
		return sabotage == SABOTAGE_ACCEPT ? stitch_malloc(16) : NULL;
	}
	if (call == CALL_CALLOC && bytes && sabotage_now(SABOTAGE_DIRTY))
		block[bytes - 1] = 1;
	if (align > 4096 && sabotage_now(SABOTAGE_ALIGN))
		return sabotage_unalign(align, bytes, block);
	if (bytes > 1024)
		return block;
	if (victim && sabotage_now(SABOTAGE_STOMP))
		victim[0] ^= 1;
	if (victim && sabotage_now(SABOTAGE_TWICE))
		return victim;
	if (sabotage_now(SABOTAGE_MISALIGNED))
		return block + 8;
	if (sabotage_now(SABOTAGE_ERRNO))
		errno = ENOMEM;
	if (sabotage_now(SABOTAGE_CRASH))
		*(volatile unsigned char *)(uintptr_t)(bytes + 1) = 0;
	if (sabotage_now(SABOTAGE_REFUSE)) {
		errno = ENOMEM;
		return NULL;
	}
	if (bytes && align <= 16)
		sabotage_victim = block;
	return block;
}

/* Every way to a new block. shape picks how calloc and reallocarray split the size. */
static inline void *call_alloc(enum call call, size_t align, size_t bytes, uint64_t shape)
{
	size_t parts = shape % 2 && bytes % 8 == 0 ? 8 : 1;
	void *block = NULL;

	switch (call) {
	case CALL_MALLOC:
		block = stitch_malloc(bytes);
		break;
	case CALL_CALLOC:
		block = stitch_calloc(bytes / parts, parts);
		break;
	case CALL_REALLOC_NULL:
		block = stitch_realloc(NULL, bytes);
		break;
	case CALL_REALLOCARRAY_NULL:
		block = stitch_reallocarray(NULL, bytes / parts, parts);
		break;
	case CALL_POSIX_MEMALIGN:
		if (stitch_posix_memalign(&block, align, bytes))
			block = NULL;
		break;
	case CALL_ALIGNED_ALLOC:
		block = stitch_aligned_alloc(align, bytes);
		break;
	case CALL_MEMALIGN:
		block = stitch_memalign(align, bytes);
		break;
	case CALL_VALLOC:
		block = stitch_valloc(bytes);
		break;
	case CALL_PVALLOC:
		block = stitch_pvalloc(bytes);
		break;
	default:
		abort();
	}
	return sabotage ? sabotage_spoil(call, align, bytes, block) : block;
}

static inline void *call_realloc(enum call call, void *block, size_t old_bytes, size_t bytes)
{
	size_t kept = old_bytes < bytes ? old_bytes : bytes;
	unsigned char *moved;

	if (call == CALL_REALLOCARRAY)
		moved = stitch_reallocarray(block, 1, bytes);
	else
		moved = stitch_realloc(block, bytes);
	if (moved)
		sabotage_forget(block);
	if (moved && kept && sabotage_now(SABOTAGE_LOST))
		moved[kept - 1] ^= 1;
	return moved;
}

static inline void call_free(enum call call, void *block, size_t align, size_t bytes)
{
	sabotage_forget(block);
	if (bytes > 65536 && sabotage_now(SABOTAGE_LEAK))
		return;
	if (sabotage_now(SABOTAGE_ERRNO_FREE))
		errno = EINVAL;
	switch (call) {
	case CALL_FREE:
		stitch_free(block);
		return;
	case CALL_FREE_SIZED:
		stitch_free_sized(block, bytes);
		return;
	case CALL_FREE_ALIGNED_SIZED:
		stitch_free_aligned_sized(block, align, bytes);
		return;
	default:
		abort();
	}
}

static inline size_t call_usable(void *block)
{
	size_t usable = stitch_malloc_usable_size(block);

	if (usable >= 64 && usable < 4096) {
		if (sabotage_now(SABOTAGE_LONG))
			return usable + SHADOW_GRANULE;
		if (sabotage_now(SABOTAGE_SHORT))
			return usable / 4;
		if (sabotage_now(SABOTAGE_UNSTABLE))
			return usable + 1;
	}
	return usable;
}

#endif
